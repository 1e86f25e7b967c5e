/* Finds base URLs on a page of many. Without this file they are all there, and the browser's own search finds them. */
(() => {
  "use strict";
  const $ = (s, e = document) => e.querySelector(s);
  let sought = "", chosen = "show-all"; // outlast a refresh
  function find() {
    const words = sought.toLowerCase().split(/\s+/).filter(Boolean), all = document.querySelectorAll("#base-urls :is(.endpoint, .row:not(.row--head))");
    let n = 0;
    for (const e of all) {
      const text = ($(".endpoint__row", e) || e).textContent.toLowerCase();
      e.hidden = !words.every(word => text.includes(word));
      n += !e.hidden;
    }
    const { found } = $("#found").dataset;
    $("#found").textContent = words.length ? found.replace("{n}", n).replace("{all}", all.length) : "";
  }
  function start() {
    const box = $("#find");
    box.hidden = false; box.value = sought; box.oninput = () => { sought = box.value; find(); };
    $("#" + chosen).checked = true;
    for (const radio of document.querySelectorAll("[name=show]")) radio.onchange = () => { chosen = radio.id; };
    find();
  }
  addEventListener("refreshed", start);
  start();
})();
