/* Brings the figures of a page alive: the still pictures become Vega views that answer the dial.
 *
 * A figure is written by kdfair_book/charts/figure.py. Vega itself is read once a page, from
 * vendor/vega.js beside this file, and only where there is a figure.
 *
 *   kdfair.figures      the figures of the page: {element, views, shown}
 *   kdfair.ready        a promise: every figure is alive
 *   kdfair.repaints     milliseconds that each turn of the dial took until its charts were drawn
 */
(() => {
  "use strict";
  const kdfair = (window.kdfair = window.kdfair || {});
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const figures = (kdfair.figures = []);
  kdfair.repaints = [];
  const PICK = "pick_store";
  const ENDS = 330; // pixels that a chart needs to label lines where they end
  const linked = [];

  const idle = window.requestIdleCallback
    ? (fn) => window.requestIdleCallback(fn, { timeout: 500 })
    : (fn) => setTimeout(fn, 1);

  function script(src) {
    return new Promise((resolve, reject) => {
      const tag = Object.assign(document.createElement("script"), { src, async: true });
      tag.onload = resolve;
      tag.onerror = () => reject(new Error("could not read " + src));
      document.head.append(tag);
    });
  }

  /* Hover: one box for the page, filled with text only. */
  const tip = Object.assign(document.createElement("div"), { className: "kd-tip", hidden: true });
  tip.setAttribute("aria-hidden", "true");

  function tooltip(_, event, __, value) {
    if (!value || typeof value !== "object") {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren(
      ...Object.entries(value)
        .filter(([, v]) => !["", "null", "NaN", "undefined"].includes(String(v)))
        .map(([key, v]) => {
          const row = document.createElement("div");
          const name = document.createElement("span");
          name.textContent = key;
          row.append(name, " " + v);
          return row;
        }),
    );
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const y = event.clientY + 16 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16;
    tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  function widthOf(panel) {
    return Math.max(200, Math.floor(panel.clientWidth));
  }

  /** Room for a legend; where lines are labeled at their ends, whether the chart is wide enough. */
  function fit(figure, spec, view, width) {
    view.signal("room", width - 12);
    if (!(spec.signals || []).some((signal) => signal.name === "ends" && signal.value)) return view;
    const ends = width >= ENDS;
    figure.element.classList.toggle("kd-ends", ends);
    return view.signal("ends", ends);
  }

  async function enliven(figure) {
    for (const [i, panel] of figure.panels.entries()) {
      const stage = document.createElement("div");
      stage.className = "kd-stage";
      const spec = figure.state.panels[i];
      const width = widthOf(panel);
      const view = new vega.View(vega.parse({ ...spec, width }), {
        renderer: "svg", hover: false, logLevel: vega.Warn, tooltip,
      });
      view.signal("dial", figure.index);
      fit(figure, spec, view, width);
      await view.initialize(stage).runAsync();
      panel.replaceChildren(stage);
      figure.views.push(view);
      if ((spec.data || []).some((d) => d.name === PICK)) {
        linked.push(view);
        view.addDataListener(PICK, (_, rows) => carry(view, rows));
      }
      let last = width;
      new ResizeObserver(() => {
        const now = widthOf(panel);
        if (now !== last && panel.clientWidth > 0) fit(figure, spec, view.width((last = now)), now).runAsync();
      }).observe(panel);
    }
  }

  /** What is picked in one chart (kdfair_book/charts/across.py) is picked in all of the page. */
  function carry(from, rows) {
    const chosen = (list) => JSON.stringify(list.map((row) => row.values));
    for (const view of linked) {
      if (view === from || chosen(view.data(PICK)) === chosen(rows)) continue;
      view.data(PICK, rows.map((row) => ({ unit: row.unit, fields: row.fields, values: row.values }))).runAsync();
    }
  }

  /** Position of the dial's temperature in the figure's own list, and what it says there. */
  function place(figure, T) {
    figure.index = kdfair.nearest(figure.state.temperatures, T);
    const own = figure.state.temperatures[figure.index];
    const text = figure.state.readout[figure.index] || "";
    const still = figure.state.temperatures.length === 1; // does not answer the dial
    const missing = own === T || still ? "" : `There is nothing at T = ${T} here; this is T = ${own}. `;
    figure.readout.textContent = missing + text;
  }

  function redraw(figure) {
    if (figure.shown === figure.index) return null;
    figure.shown = figure.index;
    return Promise.all(figure.views.map((view) => view.signal("dial", figure.index).runAsync()));
  }

  /** Those in sight are drawn at once, the others when there is time. */
  async function answer(T) {
    const began = performance.now();
    figures.forEach((figure) => place(figure, T));
    await Promise.all(figures.filter((f) => f.visible).map(redraw));
    kdfair.repaints.push(performance.now() - began);
    for (const figure of figures.filter((f) => !f.visible)) idle(() => redraw(figure));
  }

  function download(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = Object.assign(document.createElement("a"), { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  function csv(table) {
    const cell = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    return [...table.rows]
      .map((row) => [...row.cells].map((c) => cell(c.textContent.replace("−", "-"))).join(","))
      .join("\r\n") + "\r\n";
  }

  /** The figure as one picture, in the colors of the light theme, panels beside each other. */
  function picture(figure) {
    const gap = 16;
    let x = 0;
    let height = 0;
    const drawn = figure.panels.map((panel) => {
      const svg = panel.querySelector("svg").cloneNode(true);
      const [, , w, h] = svg.getAttribute("viewBox").split(" ").map(Number);
      svg.setAttribute("x", String(x));
      svg.setAttribute("width", String(w));
      svg.setAttribute("height", String(h));
      x += w + gap;
      height = Math.max(height, h);
      return new XMLSerializer().serializeToString(svg);
    });
    let across = 0;
    const key = [...figure.element.querySelectorAll(":not(.kd-ends) > .kd-key li")].map((item) => {
      const line = item.querySelector("path").cloneNode();
      const text = item.textContent;
      const entry = `<g transform="translate(${across + 6},${height + 6})">` +
        new XMLSerializer().serializeToString(line) +
        `<text x="32" y="8" font-family="sans-serif" font-size="11" fill="#1f2730">${text.replace(/&/g, "&amp;")}</text></g>`;
      across += 52 + 6 * text.length;
      return entry;
    });
    if (key.length) height += 18;
    const title = figure.element.querySelector("figcaption strong").textContent;
    const badge = figure.element.querySelector(".kd-badge").textContent;
    const source = [document.title, /^http/.test(location.protocol) ? location.href : ""].join(" ").trim();
    const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
    const text = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${x - gap} ${height + 40}" ` +
      `width="${x - gap}" height="${height + 40}"><rect width="100%" height="100%" fill="#fff"/>` +
      drawn.join("") + key.join("") + `<text x="6" y="${height + 14}" font-family="sans-serif" font-size="11" ` +
      `fill="#4f5964">${escape(title)} T = ${figure.state.temperatures[figure.index]}; ${escape(badge)}</text>` +
      `<text x="6" y="${height + 30}" font-family="sans-serif" font-size="11" fill="#4f5964">${escape(source)}</text></svg>`;
    return text.replace(/var\(--[\w-]+,\s*([^)]+)\)/g, "$1");
  }

  function buttons(figure) {
    const take = figure.element.querySelector(".kd-take");
    const make = (label, what, run) => {
      const button = Object.assign(document.createElement("button"), {
        type: "button", textContent: label, className: "kd-button",
      });
      button.setAttribute("aria-label", `Download ${what}`);
      button.addEventListener("click", run);
      take.append(button);
    };
    const name = figure.state.name;
    make("CSV", "the numbers as CSV", () =>
      download(`${name}.csv`, "text/csv", csv(figure.element.querySelector("table"))));
    make("SVG", "the picture as SVG", () =>
      download(`${name}.svg`, "image/svg+xml", picture(figure)));
  }

  async function start() {
    for (const element of document.querySelectorAll(".kd-figure")) {
      const state = JSON.parse(element.querySelector(".kd-state").textContent);
      const figure = {
        element, state, views: [], index: state.start, shown: null, visible: false,
        panels: [...element.querySelectorAll(".kd-panel")],
        readout: element.querySelector(".kd-said"),
      };
      figures.push(figure);
      buttons(figure);
    }
    if (!figures.length) return;
    document.body.append(tip);
    addEventListener("scroll", () => (tip.hidden = true), { passive: true });
    const seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const figure = figures.find((f) => f.element === entry.target);
          figure.visible = entry.isIntersecting;
          if (figure.visible && figure.views.length) redraw(figure);
        }
      },
      { rootMargin: "200px" },
    );
    figures.forEach((figure) => {
      const box = figure.element.getBoundingClientRect();
      figure.visible = box.bottom > -200 && box.top < innerHeight + 200;
      seen.observe(figure.element);
    });
    if (!window.vega) await script(here + "vendor/vega.js");
    if (kdfair.dial.value) figures.forEach((figure) => place(figure, kdfair.dial.value));
    const inOrder = [...figures].sort((a, b) => Number(b.visible) - Number(a.visible));
    for (const figure of inOrder) {
      if (!figure.visible) await new Promise((go) => idle(go));
      figure.shown = figure.index;
      await enliven(figure);
      if (figure.shown !== figure.index) await redraw(figure);
    }
    kdfair.dial.subscribe(answer);
    kdfair.repaints.length = 0;
  }

  kdfair.ready = new Promise((resolve, reject) => {
    const begin = () => start().then(resolve, reject);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
  });
})();
