/* The temperature playground: a teacher's logits, T, and what comes of them. */
(function (root) {
  "use strict";
  const { math, dom } = root.kdfair;
  const { el, svg, slider, select, button, speaker, picture } = dom;
  const LOWEST = 0.5;
  const HIGHEST = 40;
  const fixed = (x, digits = 2) => x.toFixed(digits);
  const braces = (p) => `{${p.map((x) => fixed(x)).join(", ")}}`;

  // The talk's slide: what it gives at T = 1 and what it gives at T = 10.
  const SLIDE = { start: [0.09, 0.9, 0.01], end: [0.4, 0.5, 0.1], T: 10 };
  const PETS = ["cat", "dog", "plane"];
  const FIVE = ["dog", "cat", "fox", "truck", "plane"];
  const TEACHERS = {
    rival: { text: "Sure, with one rival", names: FIVE, logits: [8, 5.5, 3, -1, -2], label: 0 },
    unsure: { text: "Unsure", names: FIVE, logits: [2, 1.6, 1.1, -0.5, -1], label: 0 },
    wrong: { text: "Sure and wrong", names: FIVE, logits: [3.5, 6, 1, -1, -2], label: 0 },
    talk: {
      text: "The talk's example", names: PETS, logits: SLIDE.start.map(Math.log), label: 1, T: 10,
      slide: true,
    },
    // The logits that give the slide's numbers at T = 10: T ln p.
    exact: {
      text: "A teacher who fits the slide", names: PETS, label: 1, T: 10, slide: true,
      logits: SLIDE.end.map((p) => SLIDE.T * Math.log(p / SLIDE.end[1])),
    },
  };
  const STUDENTS = [
    ["new", "has learned nothing yet", (z) => z.map(() => 0)],
    ["half", "is half way to the teacher", (z) => z.map((x) => x / 2)],
    ["copy", "answers exactly as the teacher", (z) => z.slice()],
    ["lost", "is sure of the last class", (z) => z.map((_, i) => (i === z.length - 1 ? 5 : 0))],
  ];
  const CURVES = [
    ["scaled", "soft term × T²"],
    ["plain", "soft term as it is"],
    ["hard", "hard term"],
  ];

  function start(place) {
    let teacher = TEACHERS.rival;
    let logits = teacher.logits.slice();
    const page = dom.dial(el("div"));
    let T = page.value ?? 4;
    let student = "new";

    // ---- controls ----
    const turn = slider({
      label: "Temperature, finely",
      min: 0, max: 400, step: 1, value: 0, name: "T",
      say: (i) => `T = ${fixed(position(i), 1)}`,
      input: (i) => setT(nearStop(position(i))),
    });
    // The slider's 401 places are even steps of log T.
    function position(i) {
      return LOWEST * Math.pow(HIGHEST / LOWEST, i / 400);
    }
    const place_of = (t) => Math.round((400 * Math.log(t / LOWEST)) / Math.log(HIGHEST / LOWEST));
    // A place within half a step of one of the dial's temperatures is that temperature.
    const nearStop = (t) => page.values.find((v) => place_of(v) === place_of(t)) ?? t;

    function setT(t) {
      T = t;
      turn.put(place_of(t));
      turn.node.querySelector("output").textContent = `T = ${fixed(T, 1)}`;
      if (page.values.includes(t) && page.value !== t) page.set(t);
      update();
    }

    const who = select({
      label: "The student",
      choices: STUDENTS, value: student, name: "student",
      change: (v) => { student = v; update(); },
    });
    const presets = el("div", { class: "kx-buttons", role: "group", "aria-label": "Teachers" });
    for (const [key, preset] of Object.entries(TEACHERS)) {
      if (key === "exact") continue;
      presets.append(button(preset.text, () => choose(key), { "data-name": key }));
    }

    // ---- the rows: one a class ----
    const rows = el("div", { class: "kx-classes" });
    let parts = [];
    function build() {
      parts = teacher.names.map((name, i) => {
        const hint = i === teacher.label ? " ✓" : "";
        const control = slider({
          label: name + hint,
          min: -25, max: 10, step: 0.1, value: logits[i], name: `logit-${i}`,
          say: (v) => v.toFixed(1),
          input: (v) => { logits[i] = v; drop(); update(); },
        });
        control.range.setAttribute("aria-label", `logit of ${name}${hint ? ", the label" : ""}`);
        const bar = el("span", { class: "kx-bar" });
        const sharp = el("span", { class: "kx-ghost" });
        const mark = el("span", { class: "kx-mark", hidden: !teacher.slide });
        const value = el("span", { class: "kx-share" });
        const track = el("div", { class: "kx-track" }, bar, sharp, mark);
        rows.append(el("div", { class: "kx-class" }, control.node, track, value));
        return { control, bar, sharp, mark, value };
      });
    }
    function choose(key) {
      teacher = TEACHERS[key];
      logits = teacher.logits.slice();
      rows.replaceChildren();
      build();
      for (const b of presets.children) {
        b.setAttribute("aria-pressed", String(b.dataset.name === key));
      }
      setT(teacher.T ?? T);
    }
    // A teacher whose logits were changed is no preset any more.
    function drop() {
      teacher = { ...teacher, slide: false };
      parts.forEach((part) => { part.mark.hidden = true; });
      for (const b of presets.children) b.setAttribute("aria-pressed", "false");
    }

    // ---- the gradients' plot ----
    const plot = picture(230, drawGradients);
    const legend = el("dl", { class: "kx-legend" });
    const sizes = Object.fromEntries(
      CURVES.map(([key, text]) => {
        const sample = svg(
          "svg", { width: 34, height: 10, "aria-hidden": "true" },
          svg("line", { x1: 0, x2: 34, y1: 5, y2: 5, class: `kx-line kx-${key}` }),
        );
        const value = el("dd", { "data-name": key });
        legend.append(el("div", {}, el("dt", {}, sample, " ", text), value));
        return [key, value];
      }),
    );
    const studentLogits = () => STUDENTS.find(([key]) => key === student)[2](logits);
    const gradients = (t) => math.gradientSizes(logits, studentLogits(), teacher.label, t);

    function drawGradients(node, width) {
      const box = { left: 46, right: 12, top: 10, bottom: 36 };
      const [low, high] = [1e-4, 10];
      const x = (t) =>
        box.left +
        ((width - box.left - box.right) * Math.log(t / LOWEST)) / Math.log(HIGHEST / LOWEST);
      const y = (g) => {
        const share = Math.log(Math.max(g, low) / low) / Math.log(high / low);
        return 230 - box.bottom - (230 - box.top - box.bottom) * share;
      };
      for (const g of [1e-4, 1e-3, 1e-2, 0.1, 1, 10]) {
        node.append(
          svg("line", { class: "kx-grid", x1: box.left, x2: width - box.right, y1: y(g), y2: y(g) }),
          svg("text", { class: "kx-ticks", x: box.left - 6, y: y(g) + 4, "text-anchor": "end" },
            String(g)),
        );
      }
      for (const t of [0.5, 1, 2, 4, 10, 20, 40]) {
        node.append(
          svg("text", { class: "kx-ticks", x: x(t), y: 230 - box.bottom + 16,
            "text-anchor": "middle" }, String(t)),
        );
      }
      node.append(
        svg("text", { class: "kx-axis", x: (box.left + width) / 2, y: 226,
          "text-anchor": "middle" }, "temperature T (both axes logarithmic)"),
      );
      const steps = Array.from({ length: 81 }, (_, i) => position(5 * i));
      const curves = steps.map(gradients);
      for (const [key] of CURVES) {
        const path = steps.map((t, i) => `${i ? "L" : "M"}${x(t)} ${y(curves[i][key])}`).join("");
        node.append(svg("path", { class: `kx-line kx-${key}`, d: path }));
      }
      const here = gradients(T);
      node.append(
        svg("line", { class: "kx-here", x1: x(T), x2: x(T), y1: box.top, y2: 230 - box.bottom }),
      );
      for (const [key] of CURVES) {
        node.append(svg("circle", { class: `kx-dot kx-${key}`, cx: x(T), cy: y(here[key]), r: 5 }));
      }
    }

    // ---- words ----
    const uncertainty = el("p", { class: "kx-entropy" });
    const meter = el("span", { class: "kx-bar" });
    const gauge = el("div", { class: "kx-track kx-meter", "aria-hidden": "true" }, meter);
    const slide = el("div", { class: "kx-slide" });
    const voice = speaker();

    function sayOfSlide(p) {
      slide.hidden = !teacher.slide;
      if (slide.hidden) return;
      const nearest = math.nearestTemperature(logits, SLIDE.end);
      const there = math.softmax(logits, nearest);
      const distance = math.totalVariation(there, SLIDE.end);
      const words = [
        `The slide gives ${braces(SLIDE.end)} (diamonds). `,
        `At T = ${fixed(T, 1)} this teacher gives ${braces(p)}. `,
      ];
      if (distance < 0.005) {
        words.push(`At T = ${fixed(nearest, 1)} it gives the slide's numbers exactly; at T = 1 it ` +
          `gives {${math.softmax(logits, 1).map((x) => x < 1e-3 ? x.toExponential(0) : fixed(x, 3))
            .join(", ")}}.`);
        slide.replaceChildren(el("p", {}, words.join("")),
          button("Back to the slide's teacher", () => choose("talk")));
      } else {
        words.push(`No temperature gives the slide's numbers: the nearest is T = ` +
          `${fixed(nearest, 1)} with ${braces(there)}, where ${fixed(100 * distance, 0)} % of the ` +
          `probability still sits in the wrong place.`);
        slide.replaceChildren(el("p", {}, words.join("")), el("div", { class: "kx-buttons" },
          button("Go to the nearest T", () => setT(nearest), { "data-name": "nearest" }),
          button("Which teacher does give them?", () => choose("exact"), { "data-name": "exact" })));
      }
    }

    function update() {
      const p = math.softmax(logits, T);
      const sharp = math.softmax(logits, 1);
      parts.forEach((part, i) => {
        part.control.put(logits[i]);
        part.bar.style.width = `${100 * p[i]}%`;
        part.sharp.style.width = `${100 * sharp[i]}%`;
        part.mark.style.left = `${100 * SLIDE.end[i]}%`;
        part.value.textContent = fixed(p[i], p[i] < 0.0995 ? 3 : 2);
      });
      const bits = math.entropy(p);
      const most = Math.log2(p.length);
      uncertainty.textContent = `Entropy of the soft targets: ${fixed(bits)} of at most ` +
        `${fixed(most)} bits (at T = 1: ${fixed(math.entropy(sharp))}).`;
      meter.style.width = `${(100 * bits) / most}%`;
      const g = gradients(T);
      for (const [key] of CURVES) sizes[key].textContent = g[key].toPrecision(2);
      plot.redraw();
      plot.node.setAttribute("aria-label",
        `Length of the gradients against temperature. At T = ${fixed(T, 1)}: ` +
        CURVES.map(([key, text]) => `${text} ${g[key].toPrecision(2)}`).join("; ") + ".");
      sayOfSlide(p);
      voice.say(`T = ${fixed(T, 1)}: ` +
        teacher.names.map((name, i) => `${name} ${fixed(p[i])}`).join(", ") +
        `; entropy ${fixed(bits)} bits.`);
    }

    place.append(
      presets,
      turn.node,
      el("div", { class: "kx-two" },
        el("section", {},
          el("h3", {}, "Soft targets"),
          el("p", { class: "kx-note" },
            "Slide a logit; the bar is the soft target at T, the outline the one at T = 1. " +
            "✓ marks the label."),
          rows, uncertainty, gauge, slide),
        el("section", {},
          el("h3", {}, "How hard each term pulls"),
          who.node, plot.node, legend)),
      voice.node,
    );
    build();
    choose("rival");
    page.subscribe((t) => { if (t !== T) setT(t); });
  }

  dom.explain("temperature", start);
})(window);
