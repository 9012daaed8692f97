"use strict";
(() => {
  const table = document.getElementById("passages");
  const form = document.getElementById("filters");
  const count = document.getElementById("count");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const value = (cell) => cell.dataset.v ?? cell.textContent.trim();
  // spelling variants of Arabic find each other, as they do in the classifier
  const fold = (text) => text.normalize("NFKD").replace(/[\p{M}\u0640]/gu, "").toLowerCase()
    .replace(/\u0671/g, "ا").replace(/ى/g, "ي").replace(/ة/g, "ه").replace(/\s+/g, " ").trim();
  const words = new Map(rows.map((row) => [row, fold(row.textContent)]));
  const cell = (row, column) => row.querySelector(`td[data-column="${CSS.escape(column)}"]`);

  for (const select of form.querySelectorAll("select[data-values]")) {
    const seen = new Map();
    for (const row of rows) {
      const name = value(cell(row, select.dataset.column));
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    for (const [name, n] of [...seen].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))) {
      select.append(new Option(`${name || "–"} (${n})`, `=${name}`));
    }
  }

  let order = "";
  const tell = () => {
    const shown = rows.filter((row) => !row.hidden).length;
    const said = count.dataset.shown.replace("SHOWN", shown).replace("ALL", rows.length);
    count.textContent = order ? `${said} · ${order}` : said;
  };
  const filter = () => {
    const wanted = [...form.querySelectorAll("select")].filter((s) => s.value)
      .map((s) => [s.dataset.column, "values" in s.dataset ? s.value.slice(1) : s.value]);
    const asked = fold(form.querySelector("input[type=search]").value);
    const unsure = form.querySelector("[data-column=unsure]").checked;
    for (const row of rows) {
      row.hidden = (unsure && !("unsure" in row.dataset))
        || !words.get(row).includes(asked)
        || wanted.some(([column, one]) => value(cell(row, column)) !== one);
    }
    tell();
  };

  const heads = [...table.tHead.rows[0].cells];
  const language = new Intl.Collator(document.documentElement.lang, { numeric: true });
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(rows.map((row) => [row, value(row.cells[k])]));
      const sorted = [...rows].sort((a, b) => language.compare(keys.get(a), keys.get(b)) * (down ? -1 : 1));
      body.append(...sorted);
      order = `${count.dataset.sorted.replace("COLUMN", button.textContent)}, ${down ? count.dataset.down : count.dataset.up}`;
      tell();
    });
  });

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  const showAll = () => { form.reset(); filter(); };
  form.querySelector("button").addEventListener("click", showAll);
  // a link to a row that is filtered away shows it
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#p"]');
    const row = link && document.getElementById(link.hash.slice(1));
    if (row && row.hidden) showAll();
  });
  form.hidden = false;
  filter();
})();
