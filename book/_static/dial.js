/* The temperature dial: one a page, for every chart on it.
 *
 * Elements with data-kd-temperatures="1 2 3 ..." (and data-kd-start) ask for the dial. It moves
 * over the list of all their temperatures. Its place is kept in the address (#T=7) and, from page
 * to page, in localStorage.
 *
 * It stands in the page, below the first charts that ask for it, and covers nothing there. While a
 * reader scrolls through charts and it is out of sight, it stays at the bottom of the screen.
 *
 *   kdfair.dial.value               the temperature (null on a page without a dial)
 *   kdfair.dial.values              the list
 *   kdfair.dial.set(T)              turn to the temperature of the list that is nearest to T
 *   kdfair.dial.subscribe(fn)       call fn(T) now and whenever T changes; returns an undo
 */
(() => {
  "use strict";
  const kdfair = (window.kdfair = window.kdfair || {});
  const KEY = "kdfair.T";
  const STEP_MS = 900;
  const listeners = new Set();
  let values = [];
  let index = -1;
  let parts = null;
  let timer = 0;
  let addressTimer = 0;

  /** Position in `list` of the temperature nearest to T, by ratio. */
  function nearest(list, T) {
    let best = 0;
    list.forEach((t, i) => {
      if (Math.abs(Math.log(t / T)) < Math.abs(Math.log(list[best] / T))) best = i;
    });
    return best;
  }

  function fromAddress() {
    const found = /[#&]T=([0-9.]+)/.exec(location.hash);
    const T = found ? Number(found[1]) : NaN;
    return T > 0 ? T : null;
  }

  function remembered() {
    try {
      const T = Number(localStorage.getItem(KEY));
      return T > 0 ? T : null;
    } catch {
      return null; // storage may be forbidden
    }
  }

  function remember(T) {
    try {
      localStorage.setItem(KEY, String(T));
    } catch {
      /* the dial works without memory */
    }
    clearTimeout(addressTimer); // browsers limit how often an address may change
    addressTimer = setTimeout(() => {
      const anchor = location.hash.replace(/^#/, "").replace(/(^|&)T=[0-9.]*/, "");
      history.replaceState(null, "", "#" + (anchor ? anchor + "&" : "") + "T=" + T);
    }, 200);
  }

  function turn(to, keep) {
    const next = Math.max(0, Math.min(values.length - 1, to));
    if (next === index) return;
    index = next;
    const T = values[index];
    if (parts) {
      parts.range.value = String(index);
      parts.range.setAttribute("aria-valuetext", "T = " + T);
      parts.value.textContent = String(T);
      parts.ticks.forEach((tick, i) => tick.classList.toggle("kd-here", i === index));
    }
    listeners.forEach((fn) => fn(T));
    document.dispatchEvent(new CustomEvent("kdfair:dial", { detail: { T } }));
    if (keep) remember(T);
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    showPlaying(false);
  }

  function play() {
    if (index === values.length - 1) turn(0, true);
    timer = setInterval(() => {
      turn(index + 1, true);
      if (index === values.length - 1) stop();
    }, STEP_MS);
    showPlaying(true);
  }

  function showPlaying(on) {
    parts.button.setAttribute("aria-label", on ? "Pause" : "Play through all temperatures");
    parts.button.title = parts.button.getAttribute("aria-label");
    parts.button.dataset.playing = String(on);
  }

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function draw() {
    const range = element("input", {
      type: "range", min: "0", max: String(values.length - 1), step: "1", id: "kd-range",
    });
    const value = element("output", { className: "kd-value" });
    value.setAttribute("for", "kd-range");
    const label = element(
      "label", { htmlFor: "kd-range", className: "kd-label" },
      element("span", { className: "kd-long", textContent: "Temperature " }), "T =\u00a0",
    );
    const button = element("button", { type: "button", className: "kd-play" });
    const ticks = values.map((T, i) => {
      const tick = element("span", { textContent: String(T) });
      tick.style.setProperty("--at", String(values.length > 1 ? i / (values.length - 1) : 0));
      return tick;
    });
    const scale = element("div", { className: "kd-ticks" }, ...ticks);
    scale.setAttribute("aria-hidden", "true");
    const bar = element(
      "div", { className: "kd-dial" },
      button,
      element("div", { className: "kd-readable" }, label, value),
      element("div", { className: "kd-track" }, range, scale),
    );
    bar.setAttribute("role", "region");
    bar.setAttribute("aria-label", "Temperature dial");
    parts = { range, value, button, ticks };
    range.addEventListener("input", () => {
      stop();
      turn(Number(range.value), true);
    });
    button.addEventListener("click", () => (timer ? stop() : play()));
    document.documentElement.classList.add("kd-has-dial");
    showPlaying(false);
    return bar;
  }

  /** Put the dial into the page, and let it follow the reader from there. */
  function dock(bar, asking) {
    const place = element("div", { className: "kd-dock" }, bar);
    const first = asking.find((e) => !e.closest("details:not([open])")) || asking[0];
    const panels = [...first.children].findLast((e) => e.matches(".kd-panels, .kd-key"));
    if (panels) panels.after(place);
    else (first.closest("details") || first).before(place);
    const settle = () => {
      const { top, bottom } = place.getBoundingClientRect();
      const inSight = top >= 0 && bottom <= innerHeight;
      const needed = asking.some((e) => e.getBoundingClientRect().top < innerHeight - 60);
      const follows = scrollY > 4 && needed && !inSight;
      if (follows && !bar.classList.contains("kd-follows")) place.style.height = bar.offsetHeight + "px";
      if (!follows) place.style.height = "";
      bar.classList.toggle("kd-follows", follows);
    };
    let frame = 0;
    const soon = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(settle);
    };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    settle();
  }

  function start() {
    const list = (e) => e.dataset.kdTemperatures.trim().split(/[\s,]+/).map(Number);
    const asking = [...document.querySelectorAll("[data-kd-temperatures]")].filter(
      (e) => list(e).length > 1, // a figure at one temperature has nothing to turn
    );
    const all = asking.flatMap(list);
    values = [...new Set(all.filter((T) => T > 0))].sort((a, b) => a - b);
    if (!values.length) return;
    dock(draw(), asking);
    const begin = asking.map((e) => Number(e.dataset.kdStart)).find((T) => T > 0) || values[0];
    turn(nearest(values, fromAddress() ?? remembered() ?? begin), false);
    const anchor = /^#(.+)&T=/.exec(location.hash);
    const target = anchor && document.getElementById(decodeURIComponent(anchor[1]));
    if (target) {
      for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
      target.scrollIntoView();
    }
    window.addEventListener("hashchange", () => {
      const T = fromAddress();
      if (T) turn(nearest(values, T), false);
    });
  }

  kdfair.nearest = nearest;
  kdfair.dial = {
    get value() {
      return index < 0 ? null : values[index];
    },
    get values() {
      return values.slice();
    },
    set(T) {
      if (values.length && T > 0) turn(nearest(values, T), true);
    },
    subscribe(fn) {
      listeners.add(fn);
      if (index >= 0) fn(values[index]);
      return () => listeners.delete(fn);
    },
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
