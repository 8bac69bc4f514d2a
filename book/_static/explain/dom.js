/* What the explanations' pages share: making elements, sliders and small plots, and the page's
   temperature dial (or, on a page without one, a dial of their own). */
(function (root) {
  "use strict";
  const kdfair = (root.kdfair = root.kdfair || {});
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) {
        node.setAttribute(name, value === true ? "" : value);
      }
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }
  const el = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  let serial = 0;
  const newId = (prefix) => `kx-${prefix}-${++serial}`;

  /** A labeled range input with its value written beside it. `say(value)` words the value. */
  function slider({ label, min, max, step, value, say, input, name = "" }) {
    const id = newId("slider");
    const shown = el("output", { for: id, class: "kx-value" });
    const range = el("input", { type: "range", id, min, max, step, value, "data-name": name });
    const put = (v) => {
      range.value = v;
      shown.textContent = say(Number(range.value));
      range.setAttribute("aria-valuetext", shown.textContent);
    };
    range.addEventListener("input", () => {
      put(range.value);
      input(Number(range.value));
    });
    put(value);
    const node = el("div", { class: "kx-slider" }, el("label", { for: id }, label), range, shown);
    return { node, put, range, get value() { return Number(range.value); } };
  }

  /** A labeled drop-down list. choices: [[value, text], ...]. */
  function select({ label, choices, value, change, name = "" }) {
    const id = newId("select");
    const box = el(
      "select",
      { id, "data-name": name, onchange: () => change(box.value) },
      choices.map(([v, text]) => el("option", { value: v }, text)),
    );
    box.value = value;
    return {
      node: el("div", { class: "kx-select" }, el("label", { for: id }, label), box),
      put: (v) => { box.value = v; },
      get value() { return box.value; },
    };
  }

  const button = (text, onclick, attributes = {}) =>
    el("button", { type: "button", class: "kx-button", onclick, ...attributes }, text);

  /** Text that a screen reader speaks when it has stood still for half a second. */
  function speaker() {
    const node = el("p", { class: "kx-speaker", "aria-live": "polite" });
    let timer = 0;
    return {
      node,
      say(text) {
        clearTimeout(timer);
        timer = setTimeout(() => { node.textContent = text; }, 500);
      },
    };
  }

  /** An <svg> as wide as its place, drawn again when the place changes. draw(node, width). */
  function picture(height, draw, attributes = {}) {
    const node = svg("svg", { role: "img", class: "kx-picture", height, ...attributes });
    let width = 0;
    const redraw = () => {
      if (!width) return;
      node.setAttribute("viewBox", `0 0 ${width} ${height}`);
      node.replaceChildren();
      draw(node, width);
    };
    new ResizeObserver(([entry]) => {
      const now = Math.floor(entry.contentRect.width);
      if (now !== width) {
        width = now;
        redraw();
      }
    }).observe(node);
    return { node, redraw };
  }

  // The studies' temperatures (design: 1 to 10, 20, 30, 40), for pages without a dial.
  const TEMPERATURES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40];

  /** The page's dial, or one that is drawn in `place`. */
  function dial(place) {
    if (kdfair.dial?.values.length) return kdfair.dial;
    const listeners = [];
    const own = {
      value: 4,
      values: TEMPERATURES,
      set(T) {
        own.value = T;
        control.put(TEMPERATURES.indexOf(T));
        listeners.forEach((listen) => listen(T));
      },
      subscribe(listen) {
        listeners.push(listen);
        listen(own.value);
      },
    };
    const control = slider({
      label: "Temperature T",
      min: 0,
      max: TEMPERATURES.length - 1,
      step: 1,
      value: TEMPERATURES.indexOf(own.value),
      say: (i) => `T = ${TEMPERATURES[i]}`,
      input: (i) => own.set(TEMPERATURES[i]),
      name: "dial",
    });
    place.append(control.node);
    kdfair.dial = own;
    return own;
  }

  /** Run start(place) on every element with data-explain=name, once the page is there. */
  function explain(name, start) {
    const all = () => document.querySelectorAll(`[data-explain="${name}"]`).forEach(start);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
    else all();
  }

  kdfair.dom = { el, svg, slider, select, button, speaker, picture, dial, explain, newId };
})(window);
