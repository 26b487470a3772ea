// laforge studio: what makes pages livelier. Every page works without it.
"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const typing = (node) => node && (node.matches("input, textarea, select") || node.isContentEditable);

  function enliven(root) {
    for (const button of all("[data-copy]", root)) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const text = button.dataset.copy || button.parentElement.querySelector("code").textContent;
        try { await navigator.clipboard.writeText(text); } catch { return; }
        say("Copied");
        button.classList.add("done");
      });
    }
    for (const table of all("table[data-sortable]", root)) sortable(table);
  }

  function sortable(table) {
    all("thead th[data-sort]", table).forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const column = Array.from(head.parentElement.children).indexOf(head);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = (row) => row.children[column]?.dataset.value ?? row.children[column]?.textContent ?? "";
        const rows = all("tbody tr", table);
        rows.sort((a, b) => value(a).localeCompare(value(b), "en", { numeric: true }) * (up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // What a screen reader is told.
  const voice = document.createElement("div");
  voice.className = "hidden";
  voice.setAttribute("role", "status");
  document.body.append(voice);
  function say(text) { voice.textContent = ""; setTimeout(() => { voice.textContent = text; }, 50); }

  // A live page asks for itself again, and takes over what changed.
  const main = document.querySelector("main[data-live]");
  if (main) {
    const every = Math.max(1, Number(main.dataset.live)) * 1000;
    let told = main.querySelector("[data-tell]")?.textContent;
    const again = async () => {
      const busy = document.hidden || typing(document.activeElement) || document.querySelector("dialog[open]") || main.querySelector("details[open]");
      if (!busy) {
        try {
          const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
          if (answer.ok) {
            const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
            const signature = (node) => node.innerHTML;
            if (fresh && main.dataset.seen !== signature(fresh)) {
              main.dataset.seen = signature(fresh);
              const focused = main.contains(document.activeElement) && document.activeElement.id;
              main.replaceChildren(...fresh.childNodes);
              enliven(main);
              if (focused) document.getElementById(focused)?.focus();
              const now = main.querySelector("[data-tell]")?.textContent;
              if (now && now !== told) { told = now; say(now); }
            }
            if (fresh && !fresh.dataset.live) return;
          }
        } catch { /* The studio may be restarting: the next look tells. */ }
      }
      setTimeout(again, every);
    };
    setTimeout(again, every);
  }

  // Keys: g and a letter goes somewhere, / filters, j and k move, ? lists them.
  const keys = document.getElementById("keys");
  let going = 0;
  let row = -1;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(document.activeElement) || keys.open) return;
    const place = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (Date.now() - going < 1000 && place) { going = 0; location.href = place.href; return; }
    going = event.key === "g" ? Date.now() : 0;
    if (event.key === "?") { keys.showModal(); event.preventDefault(); }
    if (event.key === "/") { const field = document.querySelector(".filter input"); if (field) { field.focus(); event.preventDefault(); } }
    if (event.key === "j" || event.key === "k") {
      const rows = all("tr[data-row]");
      if (!rows.length) return;
      rows[row]?.classList.remove("at");
      row = Math.min(rows.length - 1, Math.max(0, row + (event.key === "j" ? 1 : -1)));
      rows[row].classList.add("at");
      rows[row].querySelector("a")?.focus();
      rows[row].scrollIntoView({ block: "nearest" });
    }
  });

  enliven(document);
})();
