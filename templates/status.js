/* Progressive enhancement only. Without this file the page shows the same data, in UTC. */
(() => {
  "use strict";
  const root = document.documentElement, $ = (s, e = document) => e.querySelector(s), $$ = (s, e = document) => [...e.querySelectorAll(s)];
  const store = { get: k => { try { return localStorage.getItem(k); } catch { return null; } }, set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private mode */ } } };
  const fill = (s, v) => s.replace(/\{(\w+)\}/g, (_, k) => v[k]);
  const say = text => { $("#say").textContent = text; };
  const lang = root.lang === "en" ? "en-GB" : root.lang, interval = +root.dataset.interval;
  let skew = 0;
  const now = () => Date.now() + skew;

  /* 1. Freshness: past 5 intervals (at least 10 min) the page is stale. The age shown is that of the newest result. */
  const stopped = () => root.dataset.stopped !== undefined, staleAfter = +root.dataset.staleAfter * 1e3; let title = document.title;
  const length = ms => { const s = Math.max(0, ms / 1e3), [k, n] = s < 120 ? ["s", s] : s < 7200 ? ["m", s / 60] : s < 172800 ? ["h", s / 3600] : ["d", s / 86400]; return fill($(".stale__title").dataset[k], { n: Math.floor(n) }); };
  function freshness() {
    const ms = now() - Date.parse(root.dataset.generated), stale = stopped() || ms > staleAfter, fresh = !stale && now() < Date.parse(root.dataset.freshUntil), banner = $(".stale__title"), age = $("#age"), live = $("#live");
    root.classList.toggle("is-stale", stale); root.classList.toggle("is-live", fresh);
    $("#stale").hidden = !stale;
    document.title = stale ? "⚠ " + title : title;
    if (stale && !stopped()) banner.textContent = fill(banner.dataset.text, { age: length(ms) });
    if (live) {
      if (age) age.textContent = fill(age.dataset.text, { age: length(now() - Date.parse($("#measured").dateTime)) });
      $(".last-known").hidden = !stale;
      live.hidden = !stale && !fresh; live.dataset.live ??= live.textContent;
      live.textContent = stale ? live.dataset.stale : live.dataset.live;
    }
    for (const link of $$("link[rel=icon]")) {
      const icon = link.getAttribute("href").replace(/favicon(-unknown)?/, stale ? "favicon-unknown" : "favicon");
      if (link.getAttribute("href") !== icon) link.href = icon;
    }
  }

  /* 2. Times: UTC in the HTML, local on request. The UTC value stays in the title. */
  function times(zone) {
    const forms = {}, kinds = { t: { timeStyle: "medium" }, hm: { hour: "2-digit", minute: "2-digit", timeZoneName: "short" }, dt: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" } };
    for (const t of $$("time[data-fmt]")) {
      const { fmt } = t.dataset;
      if (zone === "local") {
        t.title = t.dataset.utc ??= t.textContent;
        t.textContent = (forms[fmt] ??= new Intl.DateTimeFormat(lang, { hour12: false, ...kinds[fmt] })).format(new Date(t.dateTime));
      } else if (t.dataset.utc) { t.textContent = t.dataset.utc; t.removeAttribute("title"); }
    }
  }

  /* 3. Copy buttons */
  function copies(scope) {
    for (const b of $$("[data-copy]", scope)) {
      b.hidden = !navigator.clipboard;
      b.onclick = async () => {
        await navigator.clipboard.writeText(b.dataset.copy);
        const s = $("span", b), old = s.textContent;
        s.textContent = b.dataset.done; b.classList.add("is-done"); say(b.dataset.done + ": " + b.dataset.copy);
        setTimeout(() => { s.textContent = old; b.classList.remove("is-done"); }, 1600);
      };
    }
  }

  /* 4. 90-day bars: a native range input lies over each bar, so mouse, touch, keys and screen readers all work. */
  const names = {}; // state letter -> label, read from the legend
  const letters = ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance", "unknown"], keys = "odpxmn";
  let tip, hideTimer, calendar; // slow to make, so only when somebody asks for a day
  function bars(scope) {
    $$(".legend .state").forEach(s => { names[keys[letters.indexOf(s.dataset.state)]] = s.textContent.trim(); });
    if (!tip) {
      tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
      tip.onpointerenter = () => clearTimeout(hideTimer); tip.onpointerleave = hide;
      document.body.append(tip);
      addEventListener("keydown", e => { if (e.key === "Escape") drop(); });
    }
    for (const f of $$(".uptime", scope)) {
      const plot = $(".uptime__plot", f), days = JSON.parse(f.dataset.days), from = Date.parse(f.dataset.from);
      const r = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 89, value: 89, className: "uptime__scrub" });
      r.setAttribute("aria-label", f.dataset.name);
      const mark = Object.assign(document.createElement("i"), { className: "uptime__mark", hidden: true });
      const date = i => (calendar ??= new Intl.DateTimeFormat(lang, { dateStyle: "long", timeZone: "UTC" })).format(from + i * 864e5);
      const text = (i, day = date(i)) => { const [k, m] = days[i] || ["o", 0]; return [day, m ? fill(f.dataset[m < 60 ? "min" : "hours"], { state: names[k], h: m / 60 | 0, n: m % 60 }) : names[k], letters[keys.indexOf(k)]]; };
      const show = i => {
        const [day, what, st] = text(i), w = plot.clientWidth, span = $(".uptime__bars", f).getBoundingClientRect().width, x = (i + .5) / 90 * span - (span - w);
        r.setAttribute("aria-valuetext", fill(f.dataset.day, { day, state: what }));
        if (x < 0) { r.value = i; return; }
        clearTimeout(hideTimer);
        mark.hidden = false; mark.style.left = x + "px";
        tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: day }), Object.assign(document.createElement("span"), { className: "state", textContent: what }));
        tip.lastChild.dataset.state = st;
        tip.lastChild.insertAdjacentHTML("afterbegin", `<svg class="icon" aria-hidden="true"><use href="#i-${st}"/></svg>`);
        tip.hidden = false; tip.owner = mark;
        const box = plot.getBoundingClientRect();
        tip.style.left = Math.max(8, Math.min(innerWidth - tip.offsetWidth - 8, box.left + x - tip.offsetWidth / 2)) + scrollX + "px";
        tip.style.top = box.top + scrollY - tip.offsetHeight - 7 + "px";
      };
      r.oninput = () => show(+r.value);
      r.onfocus = () => { if (r.matches(":focus-visible")) show(+r.value); };
      r.onblur = r.onpointerleave = hide;
      r.onpointermove = e => { const b = $(".uptime__bars", f).getBoundingClientRect(); if (tip.owner && tip.owner !== mark) tip.owner.hidden = true; show(Math.max(0, Math.min(89, Math.floor((e.clientX - b.left) / b.width * 90)))); };
      const [day, state] = text(89, $("figcaption > span:last-child", f).textContent);
      r.setAttribute("aria-valuetext", fill(f.dataset.day, { day, state }));
      plot.append(r, mark);
    }
  }
  function hide() { clearTimeout(hideTimer); hideTimer = setTimeout(drop, 140); }
  function drop() { if (tip) { tip.hidden = true; if (tip.owner) tip.owner.hidden = true; } }

  /* 5. Auto refresh: ask for a newer page, swap <main>, keep open details, scroll and focus. */
  async function refresh(force) {
    if (force !== true && (document.hidden || store.get("auto") === "off")) return;
    try {
      const res = await fetch(location.pathname, { cache: "no-cache" });
      const seen = Date.parse(res.headers.get("date") || "") + 1e3 * (res.headers.get("age") || 0);
      if (seen) skew = Math.abs(seen - Date.now()) > 12e4 ? seen - Date.now() : 0; // the visitor's clock may be wrong
      const doc = new DOMParser().parseFromString(await res.text(), "text/html");
      if (!res.ok || doc.documentElement.dataset.generated === root.dataset.generated) return;
      const open = $$("main details[open]").map(d => d.closest("[id]")?.id), was = $("h1").textContent, speeds = $("#metric-tps")?.checked;
      const stops = () => $$("main :is(a, button, input, summary, [tabindex])"), at = stops().indexOf(document.activeElement);
      drop();
      const y = scrollY, tall = $$("main > .block").map(e => e.offsetHeight), sideways = $$("main :is(.scroll, .charts)").map(e => e.scrollLeft), fresh = doc.documentElement.dataset;
      root.dataset.generated = fresh.generated; title = doc.title;
      for (const k of ["stopped", "freshUntil"]) if (fresh[k]) root.dataset[k] = fresh[k]; else delete root.dataset[k];
      $("main").replaceWith($("main", doc));
      $$("main > .block").forEach((e, i) => { if (tall[i]) e.style.containIntrinsicBlockSize = `auto ${tall[i] - 16}px`; }); $(".site-footer").replaceWith($(".site-footer", doc));
      open.forEach(id => { const d = id && $("#" + CSS.escape(id) + " details"); if (d) d.open = true; });
      if (speeds) $("#metric-tps")?.click();
      start($("main"));
      if (mine) tell();
      dispatchEvent(new Event("refreshed"));
      $$("main :is(.scroll, .charts)").forEach((e, i) => { e.scrollLeft = sideways[i] || 0; });
      scrollTo({ top: y, behavior: "instant" });
      if (at >= 0) stops()[at]?.focus({ preventScroll: true });
      if ($("h1").textContent !== was) say($("h1").textContent);
    } catch { /* offline: the age keeps counting */ } finally { freshness(); }
  }

  /* 6. "Is it me?" Two opaque requests per base URL, only after a click; the result outlasts a refresh. */
  let mine = null;
  async function probe() {
    const b = $("#test");
    b.disabled = true; $("#you .triage__what").textContent = b.dataset.running;
    const all = $$("[data-url]:not(.pick--you, [data-untestable])"), twice = e => !e.id && all.some(o => o.id && o.dataset.url === e.dataset.url);
    mine = await Promise.all(all.filter(e => !twice(e)).map(async e => {
      const { id, dataset: { url } } = e, good = e.matches(".pick, [data-recommended]");
      const { host, origin } = new URL(url), go = () => fetch(`${origin}/favicon.ico?${Math.random()}`, { mode: "no-cors", cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(8000) });
      let ms = null;
      try { await go(); const t = performance.now(); await go(); ms = Math.round(performance.now() - t); } catch { /* unreachable */ }
      return { id, url, host, ms, good };
    }));
    const best = tell();
    $("#test").disabled = false;
    say($("#you .triage__what").textContent + (best ? ". " + fill(b.dataset.best, best) : ""));
  }
  function tell() {
    const b = $("#test"), you = $("#you"), list = $(".picks");
    const mark = (id, st, text) => {
      const chip = id && $("#" + CSS.escape(id) + " .vantages__you");
      if (!chip) return;
      chip.parentNode.hidden = false; chip.dataset.state = st;
      chip.innerHTML = `<svg class="icon" aria-hidden="true"><use href="#i-${st}"/></svg><span></span>`;
      chip.lastChild.textContent = text;
    };
    for (const { id, ms } of mine) if (ms === null) mark(id, "major_outage", b.dataset.failed); else mark(id, "operational", ms + " ms");
    for (const { id } of $$("[data-untestable]")) mark(id, "unknown", b.dataset.never);
    const ok = mine.filter(g => g.ms !== null).sort((a, c) => a.ms - c.ms), st = ok.length === mine.length ? "operational" : ok.length ? "partial_outage" : "major_outage";
    const note = $(".triage__note", you), best = ok.find(g => g.good);
    note.textContent = note.dataset[ok.length === mine.length ? "all" : ok.length ? "some" : "none"];
    you.dataset.state = st; $("use", you).setAttribute("href", "#i-" + st);
    $(".triage__what", you).textContent = fill(b.dataset.done, { ok: ok.length, n: mine.length });
    if (best && list) {
      const row = $(".pick--you") || list.firstElementChild.cloneNode(true);
      row.classList.add("pick--you"); row.classList.remove("pick--next"); row.removeAttribute("data-url"); list.prepend(row);
      $(".pick__where", row).textContent = b.dataset.you; $(".pick__url", row).textContent = best.host; $(".pick__ms", row).textContent = best.ms + " ms";
      $(".copy", row).dataset.copy = best.url; copies(row);
    }
    return best;
  }

  function start(scope) {
    copies(scope); bars(scope); freshness();
    const zone = store.get("tz") || "utc", auto = $("#autorefresh");
    times(zone);
    if (!auto) return; // a page below the home page
    $("#opts").hidden = false;
    const test = $("#test");
    if (test) { test.hidden = false; test.onclick = probe; }
    for (const r of $$("[name=tz]")) { r.checked = r.value === zone; r.onchange = () => { store.set("tz", r.value); times(r.value); }; }
    auto.checked = store.get("auto") !== "off"; auto.onchange = () => store.set("auto", auto.checked ? "on" : "off");
  }
  for (const r of $$("[name=theme]")) { r.checked = r.value === (store.get("theme") || "auto"); r.onchange = () => store.set("theme", r.value); }
  start(document);
  const age = now() - Date.parse(root.dataset.generated);
  if (stopped() || age > staleAfter || age < -6e4) refresh(true); // old page or wrong clock: ask the server once
  setInterval(freshness, 1000);
  setInterval(refresh, Math.max(interval, 10) * 1e3);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { freshness(); refresh(); } });
})();
