/* Finds base URLs where the home page names services alone: in a list of all, fetched when somebody seeks. Without this
   file they are all on the pages of their services. */
(() => {
  "use strict";
  const $ = s => document.querySelector(s), MOST = 50; // more are counted, not shown
  let sought = "", names; // outlast a refresh
  const made = (tag, text) => { const e = document.createElement(tag); e.textContent = text; return e; };
  async function find() {
    const now = sought, words = now.toLowerCase().split(/\s+/).filter(Boolean), { list, root } = $("#find").dataset;
    let all = [];
    try { if (words.length) all = await (names ||= fetch(list).then(answer => answer.json()).then(Object.entries)); } catch { names = null; }
    if (sought !== now) return; // typed on meanwhile
    const matching = all.filter(([, texts]) => words.every(word => texts.join(" ").toLowerCase().includes(word)));
    const rows = matching.slice(0, MOST).map(([path, [service, name, url]]) => {
      const row = made("li", ""), link = made("a", "");
      row.className = "row"; link.href = `${root}endpoints/${path}/`;
      link.append(made("b", `${service}: ${name}`), made("code", url)); row.append(link);
      return row;
    });
    $("#hits").replaceChildren(...rows); $("#hits").hidden = !rows.length;
    const { found } = $("#found").dataset;
    $("#found").textContent = all.length ? found.replace("{n}", matching.length).replace("{all}", all.length) : "";
  }
  function start() {
    const box = $("#find");
    box.hidden = false; box.value = sought; box.oninput = () => { sought = box.value; find(); };
    find();
  }
  addEventListener("refreshed", start);
  start();
})();
