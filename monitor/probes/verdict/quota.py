"""Decides whether an error tells of money or of a used-up allowance, whatever its HTTP status.

Exact codes come first, then sentences that cannot mean anything else. A limit per minute is a rate limit,
and so is a text that a provider uses for both, unless something else tells of money.
"""

import re
from datetime import UTC, datetime

from monitor.model import FailureKind
from monitor.probes.verdict.error_body import ErrorBody
from monitor.probes.verdict.provider_codes import NUMBERS

_OWN_ACCOUNT = frozenset({"insufficientuserquota", "preconsumetokenquotafailed"})
"""Codes that a relay uses for our own account only, whatever its text says."""

_MONEY_CODE = re.compile(
    r"insufficient(?:user|account|api|token)?(?:quota|balance|credit|fund|point)"
    r"|(?:balance|credit|fund|quota)s?(?:is)?(?:insufficient|notenough|exhausted|depleted|empty|toolow)"
    r"|notenough(?:balance|credit|fund|quota|point)|nocredit|outof(?:credit|quota|fund)"
    r"|arrear|overdue|unpaid|billing(?:disabled|notfound|notactive|closed)|usagenotincluded|paymentrequired|exceededcurrentquota|exceedtokenquota|quot[ae]exceeded"
    r"|\Abilling(?!auth)|(?:spend|spending|usage|credit|setlimit|set|budget|key)limit(?:reached|exceeded)"
    r"|budgetexceeded|freetieronly|(?:resource)?packexhausted|planexpired|dailylimit|quotauserdaily"
    r"|\Asubscription(?!required\Z)"
)
"""Part of a code, as `spelled` writes it, with which a provider says that an account must pay."""

_BALANCE = r"(?:(?<!load )balance|credits?|funds?|money|(?:call volume )?quota|allowance)"
_MONEY = re.compile(
    rf"insufficient (?:account |api |token |user |remaining |prepaid )*{_BALANCE}"
    rf"|{_BALANCE} (?:is |are |was |has been |have been )?(?:currently )?"
    r"(?:too low|insufficient|exhausted|depleted|used up|not enough|empty|negative|below|zero)|zero balance|\bbalance: ?-?0(?:\.0+)?(?![.\d])"
    rf"|(?:not enough|no|out of|no more|no remaining) (?:api |account |available )?{_BALANCE}\b"
    rf"(?! limit)|(?:doesn't|does not|don't|do not) have (?:any |enough |sufficient ){_BALANCE}"
    r"|(?:used|exhausted|depleted|consumed) (?:up )?(?:all )?(?:of )?(?:your |its |the )?(?:available |free |monthly )*"
    r"(?:credits|balance|trial quota|quota)\b|requires? more credits|more credits are required"
    r"|overdue|in arrears|arrearage|good standing|payment (?:is )?required|unpaid (?:bill|invoice)"
    r"|non-?payment|failure to pay|past(?: |-)due|(?:past|outstanding) invoices?|payment instrument|(?:out of|from your) extra usage|extra usage is required"
    r"|(?:exceeded|over) budget|billing account[^.]{0,60}(?:disabled|closed|not found)|no active (?:subscription|plan)"
    r"|(?:spend|spending|billing|budget|credit|key|hard) (?:limit|cap) (?:has been |was |is )?(?:reached|exceeded)"
    r"|reached (?:your |its |the )?(?:specified |monthly |organization |project )*"
    r"(?:api usage|spend|spending|billing|budget|credit) (?:limit|cap)s?"
    r"|budget has been exceeded"
    r"|(?:subscription|plan|package|trial) (?:has |is )?(?:expired|ended)"
    r"|subscription (?:has |is |was )?(?:been )?(?:cancell?ed|inactive)"
    r"|free (?:tier|quota|trial)[^.]{0,40}(?:exhausted|expired|used up|ended)"
    r"|余额不足|余额已|余额为|额度不足|额度已|额度用|欠费|配额不足|配额已用|积分不足|点数不足|无可用资源包|预扣费额度失败"
    r"|(?:套餐|订阅|会员|包月)(?:已经?|服务已)?(?:到期|过期|失效|用完|用尽)|次数已用|(?:余额|额度|配额)(?:耗尽|不够|用完|用尽)"
    r"|额度\s?为\s?-?0(?!\.0*[1-9])|餘額不足|額度不足|額度已|欠費|點數不足"
    r"|残高(?:が|は)?(?:不足|ありません|足り)|クレジット(?:が|は)?(?:不足|ありません|足り)|料金(?:が)?未払"
    r"|잔액(?:이|은)? ?부족|크레딧(?:이|은)? ?부족|요금(?:이)? ?미납"
    r"|недостаточн?\w* (?:средств|кредит|баланс)|баланс\w* (?:недостаточ|исчерпан|отрицател|нулев|пуст)"
    r"|(?:средства|кредиты) (?:закончились|исчерпаны)|недостатньо коштів"
    r"|saldo (?:é |es |está |actual |anda )?(?:kurang|habis|insuficiente|insufficiente|agotado|esgotado|tidak)"
    r"|(?:créditos?|fondos|fundos) (?:insuficientes?|agotados?|esgotados?)|sin saldo|sem saldo"
    r"|(?:agot|esgot)\w+ (?:(?:su|tu|seu|el|lo|o|o seu)s? )*(?:saldo|créditos?|fondos|fundos)"
    r"|solde (?:est )?insuffisant|crédits? (?:est |sont )?(?:insuffisants?|épuisés?)|fonds insuffisants"
    r"|kein(?:e|en)? guthaben|guthaben (?:ist )?(?:leer|reicht nicht|aufgebraucht|nicht ausreichend|zu niedrig|erschöpft)"
    r"|nicht (?:genügend|genug|ausreichend) guthaben|(?:credito|fondi) insufficient[ei]"
    r"|yetersiz bakiye|bakiye(?:niz)? yetersiz|số dư không đủ|không đủ số dư|onvoldoende (?:saldo|tegoed)"
    r"|niewystarczając\w+ (?:środki|saldo)|brak środków|ยอดเงินไม่(?:เพียง)?พอ|رصيد\w* غير كاف"
)
"""Sentences of an account that must pay."""

_PACE = re.compile(
    r"per[ -]?(?:minute|min\b|second|sec\b|hour)|perminute|\b[rtqi]p[ms]\b|/ ?min\b|每分钟|每秒|每小时|并发|並發|"
    r"concurren|(?<!day )(?<!week )(?<!month )allocated quota exceeded|qps|분당|1分あたり|毎分|в минуту|por minuto|par minute|pro minute"
)
"""Words of a limit that the next minutes lift."""

_LONG = (
    r"(?:(?:per|(?<!\d)(?<!\d )/|this|by)[ -]?(?:day|week|month|86400 ?s)|daily|weekly|monthly|\b[rt]pd\b|5-hour|five-hour|byday\b"
    r"|lifetime|total request)"
)
_CAP = (
    r"(?:limit|quota|allowance|allocation|\bcap\b|exceeded|reached|too many|used (?:up|all)|out of)"
)
_WINDOW = re.compile(
    rf"{_LONG}[^.]{{0,80}}{_CAP}|{_CAP}[^.]{{0,80}}{_LONG}"
    r"|(?:usage|session|message) (?:limit|cap)s?\b|usage quota"
    r"|(?:每日|每天|今日|当日|本日|每周|每月|当天)[^。]{0,30}(?:限额|额度|上限|次数|用完|限制|配额)|使用上限"
    r"|利用上限|사용 ?한도|일일 ?(?:한도|사용량)|límite diario|limite (?:quotidienne|diário|giornaliero)|tageslimit|(?:day|week|month) allocated quota"
    r"|(?:дневно|суточн|месячн|недельн)\w+ (?:лимит|квот)|hit your limit[^.]{0,20}resets"
)
"""Words of an allowance of a day or longer, which waiting some minutes does not bring back."""

_WEAK = re.compile(
    r"exceed(?:ed|s|ing)? (?:your |the |its )?(?:current |token |api )?quota|quota exceeded|超出配额|超过配额"
    r"|please (?:recharge|top[ -]?up|add (?:more )?(?:funds|credits?|money))|payment method|续费|请(?:先|及时|尽快|立即)?充值"
)
"""Said of both, an empty account and a limit per minute that paying would raise."""

_UPSTREAM = re.compile(r"上游|渠道|upstream|channel")
_THROTTLED = frozenset({"resourceexhausted", "ratelimit", "ratelimitexceeded", "toomanyrequests"})


def judge_quota(status: int | None, error: ErrorBody) -> FailureKind | None:
    """Return `quota_exhausted` for an account that must pay, `no_channel` where that is the relay's own.

    None where nothing tells of money; `status` is the status that counts, None for none.
    """
    if error.codes & _OWN_ACCOUNT or any("perday" in code for code in error.codes):
        return FailureKind.QUOTA_EXHAUSTED
    text = error.text.lower().replace("_", " ")  # codes stand in sentences too
    whose = FailureKind.NO_CHANNEL if _UPSTREAM.search(text) else FailureKind.QUOTA_EXHAUSTED
    if _MONEY.search(text):
        return whose
    if any(NUMBERS.get(number) is FailureKind.QUOTA_EXHAUSTED for number in error.numbers):
        return FailureKind.QUOTA_EXHAUSTED
    if _PACE.search(text) or any("perminute" in code for code in error.codes):
        return None
    if any(map(_MONEY_CODE.search, error.codes)) or _WINDOW.search(text):
        return FailureKind.QUOTA_EXHAUSTED
    throttled = status == 429 or error.codes & _THROTTLED
    return whose if _WEAK.search(text) and not throttled else None


def when_it_returns(error: ErrorBody) -> str:
    """Say when a used-up allowance returns, as far as the error names it: ` (it returns in 6 days)`."""
    if error.retry_after:
        return f" (it returns in {_span(error.retry_after)})"
    moment = error.resets_at
    reset = next(
        (text for name, text in error.headers.items() if name.lower() == "x-ratelimit-reset"), ""
    )
    if moment is None and reset.isdecimal() and len(reset) in {10, 13}:
        moment = float(reset)
    if isinstance(moment, float) and moment > 1e9:
        seconds = moment / 1000 if moment > 1e11 else moment
        date = datetime.fromtimestamp(min(seconds, 4e9), UTC)
        return f" (it returns {date:%Y-%m-%d %H:%M} UTC)"
    return f" (it returns {moment})" if isinstance(moment, str) else ""


def _span(seconds: float) -> str:
    hours, minutes = round(seconds / 3600), round(seconds / 60)
    if hours >= 48:
        return f"{round(seconds / 86400)} days"
    return f"{hours} h" if hours >= 2 else f"{max(1, minutes)} min"
