/* What a student learns: three networks in the plane, evaluated here from their published weights
   (kdfair.toy, from data/toy/toy.json). */
(function (root) {
  "use strict";
  const { math, dom } = root.kdfair;
  const { el, svg, slider, select, speaker, picture } = dom;
  const CELLS = 96; // of the grid on which boundaries are drawn
  const EDGE = 3.6; // the picture shows -EDGE..EDGE in both directions
  const percent = (x) => `${(100 * x).toFixed(1)} %`;
  const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;

  const SIDE = CELLS + 1;

  /** Logits of a network on the grid's SIDE^2 corners, row by row from the top: math.network for
      all corners at once, a layer a time. */
  function onGrid(layers) {
    let width = 2;
    let h = new Float32Array(SIDE * SIDE * 2);
    for (let row = 0, k = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        h[k++] = (2 * EDGE * column) / CELLS - EDGE;
        h[k++] = EDGE - (2 * EDGE * row) / CELLS;
      }
    }
    layers.forEach(({ w, b }, depth) => {
      const wide = b.length;
      const out = new Float32Array(SIDE * SIDE * wide);
      const last = depth === layers.length - 1;
      for (let corner = 0; corner < SIDE * SIDE; corner++) {
        for (let j = 0; j < wide; j++) {
          let z = b[j];
          for (let i = 0; i < width; i++) z += h[corner * width + i] * w[i][j];
          out[corner * wide + j] = last ? z : Math.tanh(z);
        }
      }
      [h, width] = [out, wide];
    });
    return h;
  }

  /** The boundary of each class as line segments [x0, y0, x1, y1, place] in cells: where its logit
      overtakes the best of the others (marching squares). `place` makes dashes: see DASH. */
  function boundary(logits) {
    const segments = [];
    const lead = new Float32Array(SIDE * SIDE);
    const around = [[0, 0], [1, 0], [1, 1], [0, 1]];
    for (let c = 0; c < 3; c++) {
      for (let k = 0; k < SIDE * SIDE; k++) {
        const other = Math.max(logits[3 * k + ((c + 1) % 3)], logits[3 * k + ((c + 2) % 3)]);
        lead[k] = logits[3 * k + c] - other;
      }
      for (let row = 0; row < CELLS; row++) {
        for (let column = 0; column < CELLS; column++) {
          const k = row * SIDE + column;
          const ahead = (lead[k] > 0) + (lead[k + 1] > 0) + (lead[k + SIDE] > 0) +
            (lead[k + SIDE + 1] > 0);
          if (ahead === 0 || ahead === 4) continue;
          const corner = around.map(([dx, dy]) => ({
            x: column + dx, y: row + dy, v: lead[k + dy * SIDE + dx],
          }));
          const cuts = [];
          for (let i = 0; i < 4; i++) {
            const [p, q] = [corner[i], corner[(i + 1) % 4]];
            if (p.v > 0 !== q.v > 0) {
              const t = p.v / (p.v - q.v);
              cuts.push(p.x + t * (q.x - p.x), p.y + t * (q.y - p.y));
            }
          }
          for (let i = 0; i + 3 < cuts.length; i += 4) {
            segments.push([...cuts.slice(i, i + 4), (row + column) % 4]);
          }
        }
      }
    }
    return segments;
  }

  const MEASURES = [
    ["accuracy", "accuracy, all points", (m) => m.accuracy],
    ["group-0", "accuracy, group A", (m) => m.by_group[0]],
    ["group-1", "accuracy, group B", (m) => m.by_group[1]],
    ["class-0", "accuracy, class 1", (m) => m.by_class[0]],
    ["class-1", "accuracy, class 2", (m) => m.by_class[1]],
    ["class-2", "accuracy, class 3", (m) => m.by_class[2]],
    ["agreement", "agreement with its teacher", (m) => m.agreement],
    ["eod", "equalized odds difference", (m) => m.eod],
  ];
  /** The boundaries' dashes, as long as those that a plane's cells make (see DASH below). */
  const STROKES = { teacher: "4 4", nds: "13 5" };
  const SCALES = [["T2", "soft term × T²"], ["none", "soft term as it is"]];

  function start(place) {
    const toy = root.kdfair.toy;
    const own = el("div");
    const dial = dom.dial(own);
    let T = dial.value;
    let seed = 0;
    let scale = "T2";
    let measure = "accuracy";
    let probe = [1.4, 0.2];

    const find = (role, at = T, of = seed) => toy.models.find((m) =>
      m.role === role && m.seed === of &&
      (role !== "ds" || (m.temperature === at && m.soft_scale === scale)));
    const grids = new Map(); // logits on the grid and boundary of each network, once drawn
    function drawn(model) {
      if (!grids.has(model)) {
        const logits = onGrid(model.layers);
        grids.set(model, { logits, path: pathOf(boundary(logits), DASH[model.role]) });
      }
      return grids.get(model);
    }

    // ---- controls ----
    const scaleBox = select({ label: "Loss", choices: SCALES, value: scale, name: "scale",
      change: (v) => { scale = v; update(); } });
    const seedBox = select({ label: "Seed", name: "seed", value: "0",
      choices: toy.settings.seeds.map((s) => [String(s), String(s)]),
      change: (v) => { seed = Number(v); update(); } });
    const shown = { teacher: true, nds: true };
    const tick = (role, text) => {
      const id = dom.newId("show");
      return el("span", { class: "kx-tick" },
        el("input", { type: "checkbox", id, checked: true,
          onchange: (event) => { shown[role] = event.target.checked; update(); } }),
        el("label", { for: id }, sample(role), " ", text));
    };
    function sample(role) {
      return svg("svg", { width: 34, height: 10, "aria-hidden": "true" },
        svg("line", { x1: 0, x2: 34, y1: 5, y2: 5, class: `kx-edge kx-${role}`,
          "stroke-dasharray": STROKES[role] }));
    }

    // ---- the plane ----
    const tint = el("canvas", { class: "kx-tint", width: CELLS, height: CELLS, "aria-hidden": true });
    const plane = svg("svg", {
      class: "kx-plane", viewBox: `0 0 ${CELLS} ${CELLS}`, tabindex: 0, role: "application",
      "aria-roledescription": "probe",
    });
    const px = (x) => ((x + EDGE) * CELLS) / (2 * EDGE);
    const py = (y) => ((EDGE - y) * CELLS) / (2 * EDGE);
    const regions = svg("g", { class: "kx-names" });
    const dots = svg("g");
    const edges = Object.fromEntries(["teacher", "nds", "ds"].map((role) => [
      role, svg("path", { class: `kx-edge kx-${role}` }),
    ]));
    const cross = svg("g", { class: "kx-cross" },
      svg("circle", { r: 2.2 }), svg("path", { d: "M-4 0H4M0-4V4" }));
    plane.append(dots, regions, edges.teacher, edges.nds, edges.ds, cross);

    // A point's shape is its class, full for group A and open for group B.
    const shapes = [
      "M-.8 0a.8 .8 0 1 0 1.6 0a.8 .8 0 1 0-1.6 0Z", "M0-1L.9 .7H-.9Z", "M-.7-.7H.7V.7H-.7Z",
    ];
    toy.points.x.forEach(([x, y], i) => {
      const c = toy.points.y[i];
      dots.append(svg("path", {
        d: shapes[c], transform: `translate(${px(x)} ${py(y)})`,
        class: `kx-point kx-class-${c} ${toy.points.group[i] ? "kx-open" : ""}`,
      }));
    });

    const COLORS = ["--kx-class-0", "--kx-class-1", "--kx-class-2"];
    /** The theme's colors of the classes as [red, green, blue]. */
    function classColors(context) {
      const style = getComputedStyle(document.documentElement);
      return COLORS.map((name) => {
        context.fillStyle = style.getPropertyValue(name).trim();
        return [1, 3, 5].map((at) => parseInt(context.fillStyle.slice(at, at + 2), 16));
      });
    }
    function paint(logits) {
      const context = tint.getContext("2d");
      const colors = classColors(context);
      const pixels = context.createImageData(CELLS, CELLS);
      const best = [-Infinity, -Infinity, -Infinity];
      const where = [null, null, null];
      for (let row = 0, at = 0; row < CELLS; row++) {
        for (let column = 0; column < CELLS; column++, at += 4) {
          const k = 3 * (row * SIDE + column);
          const [a, b] = [logits[k], logits[k + 1]];
          const z = logits[k + 2];
          const c = a >= b && a >= z ? 0 : b >= z ? 1 : 2;
          pixels.data.set(colors[c], at);
          pixels.data[at + 3] = 51; // a fifth
          // A class's name stands where it wins most clearly, away from the rim.
          const lead = logits[k + c] - Math.max(logits[k + ((c + 1) % 3)], logits[k + ((c + 2) % 3)]);
          const inside = Math.hypot(column - CELLS / 2, row - CELLS / 2) < 0.42 * CELLS;
          if (inside && lead > best[c]) [best[c], where[c]] = [lead, [column, row]];
        }
      }
      context.putImageData(pixels, 0, 0);
      regions.replaceChildren(...where.flatMap((at, c) =>
        at ? [svg("text", { x: at[0], y: at[1] + 3 }, toy.classes[c])] : []));
    }
    const pathOf = (lines, keep) => lines.filter((s) => keep(s[4]))
      .map((s) => `M${s[0].toFixed(2)} ${s[1].toFixed(2)}L${s[2].toFixed(2)} ${s[3].toFixed(2)}`)
      .join("");
    // Dashes by leaving out cells: the teacher's in short dashes, the NDS's in long ones.
    const DASH = { teacher: (k) => k % 2 === 0, nds: (k) => k !== 0, ds: () => true };

    // ---- the probe ----
    const answers = el("table", { class: "kx-table" });
    function ask() {
      cross.setAttribute("transform", `translate(${px(probe[0])} ${py(probe[1])})`);
      const row = (name, p) => el("tr", {}, el("th", { scope: "row" }, name),
        p.map((x) => el("td", {}, x.toFixed(3))));
      const of = (role, t) => math.softmax(math.network(find(role).layers, probe), t);
      answers.replaceChildren(
        el("caption", {}, `At the cross (${probe.map((v) => v.toFixed(1)).join(", ")})`),
        el("thead", {}, el("tr", {}, el("td", {}),
          toy.classes.map((c) => el("th", { scope: "col" }, `class ${c}`)))),
        el("tbody", {},
          row("Teacher", of("teacher", 1)),
          row(`Soft target: teacher at T = ${T}`, of("teacher", T)),
          row(`DS at T = ${T}, what it learned`, of("ds", T)),
          row("DS, what it answers", of("ds", 1)),
          row("NDS, what it answers", of("nds", 1))));
    }
    function move(x, y) {
      probe = [x, y].map((v) => Math.max(-EDGE, Math.min(EDGE, v)));
      ask();
      const best = (role) =>
        toy.classes[math.argmax(math.network(find(role).layers, probe))];
      voice.say(`Teacher says class ${best("teacher")}, distilled student class ${best("ds")}, ` +
        `non-distilled student class ${best("nds")}.`);
    }
    function follow(event) {
      if (event.type === "pointermove" && event.buttons === 0) return;
      const box = plane.getBoundingClientRect();
      move(((event.clientX - box.left) / box.width) * 2 * EDGE - EDGE,
        EDGE - ((event.clientY - box.top) / box.height) * 2 * EDGE);
    }
    plane.addEventListener("pointerdown", follow);
    plane.addEventListener("pointermove", follow);
    plane.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1],
        ArrowDown: [0, -0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation(); // the page's dial listens to arrow keys as well
      move(probe[0] + step[0], probe[1] + step[1]);
    });

    // ---- numbers ----
    const numbers = el("table", { class: "kx-table" });
    const voice = speaker();
    function tell() {
      const row = (name, role) => {
        const all = toy.settings.seeds.map((s) => find(role, T, s));
        return el("tr", {}, el("th", { scope: "row" }, name),
          MEASURES.slice(0, 7).map(([, , of]) => el("td", {}, percent(mean(all.map(of))))));
      };
      numbers.replaceChildren(
        el("caption", {}, `On ${toy.settings.n_test} fresh points, means of ` +
          `${toy.settings.seeds.length} seeds`),
        el("thead", {}, el("tr", {}, el("td", {}),
          ["all", "group A", "group B", "class 1", "class 2", "class 3", "agrees with teacher"]
            .map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, row("Teacher", "teacher"), row("NDS", "nds"), row(`DS, T = ${T}`, "ds")));
    }

    // ---- a measure against T ----
    const HEIGHT = 220;
    const plot = picture(HEIGHT, drawPlot);
    const measureBox = select({ label: "Against temperature", name: "measure", value: measure,
      choices: MEASURES, change: (v) => { measure = v; update(); } });
    const chosen = () => MEASURES.find(([key]) => key === measure);
    function drawPlot(node, width) {
      const of = chosen()[2];
      const values = toy.models.map(of);
      const step = Math.max(...values) - Math.min(...values) > 0.06 ? 0.02 : 0.01;
      const low = step * Math.floor(Math.min(...values) / step);
      const high = step * Math.ceil(Math.max(...values) / step);
      const box = { left: 50, right: 10, top: 10, bottom: 34 };
      const y = (v) => HEIGHT - box.bottom -
        (HEIGHT - box.top - box.bottom) * ((v - low) / (high - low));
      const x = (i) => box.left + 12 +
        ((width - box.left - box.right - 24) * i) / (toy.temperatures.length - 1);
      for (let v = low; v < high + step / 2; v += step) {
        node.append(
          svg("line", { class: "kx-grid", x1: box.left, x2: width - box.right, y1: y(v), y2: y(v) }),
          svg("text", { class: "kx-ticks", x: box.left - 5, y: y(v) + 4, "text-anchor": "end" },
            `${(100 * v).toFixed(0)} %`));
      }
      for (const role of ["teacher", "nds"]) {
        const v = mean(toy.settings.seeds.map((s) => of(find(role, T, s))));
        node.append(svg("line", { class: `kx-edge kx-${role}`, x1: box.left, x2: width - box.right,
          y1: y(v), y2: y(v), "stroke-dasharray": STROKES[role] }));
      }
      const at = toy.temperatures.indexOf(T);
      if (at >= 0) {
        node.append(svg("line", { class: "kx-here", x1: x(at), x2: x(at), y1: box.top,
          y2: HEIGHT - box.bottom }));
      }
      let path = "";
      toy.temperatures.forEach((t, i) => {
        const all = toy.settings.seeds.map((s) => of(find("ds", t, s)));
        path += `${i ? "L" : "M"}${x(i)} ${y(mean(all))}`;
        all.forEach((v) => node.append(
          svg("circle", { class: "kx-seed", cx: x(i), cy: y(v), r: 3 })));
        if (width > 420 || i % 2 === 0) {
          node.append(svg("text", { class: "kx-ticks", x: x(i), y: HEIGHT - box.bottom + 16,
            "text-anchor": "middle" }, String(t)));
        }
      });
      node.append(svg("path", { class: "kx-edge kx-ds", d: path }),
        svg("text", { class: "kx-axis", x: (box.left + width) / 2, y: HEIGHT - 4,
          "text-anchor": "middle" }, "temperature T"));
      const now = mean(toy.settings.seeds.map((s) => of(find("ds", T, s))));
      node.setAttribute("aria-label", `${chosen()[1]} of distilled students against temperature, ` +
        `a dot a seed and a line through the means. At T = ${T}: ${percent(now)}; teacher ` +
        `${percent(mean(toy.settings.seeds.map((s) => of(find("teacher", T, s)))))}, ` +
        `non-distilled student ${percent(mean(toy.settings.seeds.map((s) => of(find("nds", T, s)))))}.`);
    }

    // The numbers behind the plot, folded.
    const listed = el("table", { class: "kx-table" });
    function list() {
      const of = chosen()[2];
      const row = (name, role, t) => {
        const all = toy.settings.seeds.map((s) => of(find(role, t, s)));
        return el("tr", {}, el("th", { scope: "row" }, name),
          [mean(all), Math.min(...all), Math.max(...all)].map((v) => el("td", {}, percent(v))));
      };
      listed.replaceChildren(
        el("caption", {}, `${chosen()[1]}, ${SCALES.find(([key]) => key === scale)[1]}`),
        el("thead", {}, el("tr", {}, el("td", {}),
          ["mean", "lowest seed", "highest seed"].map((t) => el("th", { scope: "col" }, t)))),
        el("tbody", {}, row("Teacher", "teacher"), row("NDS", "nds"),
          toy.temperatures.map((t) => row(`DS, T = ${t}`, "ds", t))));
    }

    function update() {
      const student = drawn(find("ds"));
      paint(student.logits);
      for (const role of ["teacher", "nds", "ds"]) {
        const visible = role === "ds" || shown[role];
        edges[role].setAttribute("d", visible ? drawn(find(role)).path : "");
      }
      plane.setAttribute("aria-label",
        `The plane. Shaded: the classes of the distilled student at T = ${T}, with the boundaries ` +
        "of teacher and non-distilled student. Arrow keys move a cross; below stands what each " +
        "network says there.");
      ask();
      tell();
      list();
      plot.redraw();
      const m = find("ds");
      voice.say(`T = ${T}, seed ${seed}: accuracy ${percent(m.accuracy)}, group A ` +
        `${percent(m.by_group[0])}, group B ${percent(m.by_group[1])}, agreement with the teacher ` +
        `${percent(m.agreement)}.`);
    }

    const legend = el("ul", { class: "kx-key" },
      el("li", {}, "Shape and digit: class. Full: group A. Open: group B."),
      el("li", {}, sample("ds"), " distilled student, DS (and its shades)"),
      el("li", {}, tick("nds", "non-distilled student, NDS")),
      el("li", {}, tick("teacher", "teacher")));
    place.append(
      own,
      el("div", { class: "kx-row" }, scaleBox.node, seedBox.node),
      el("div", { class: "kx-side" },
        el("div", { class: "kx-map" }, tint, plane),
        el("div", {}, legend, el("div", { class: "kx-wide", tabindex: 0, role: "region",
          "aria-label": "Answers at the cross" }, answers))),
      el("div", { class: "kx-wide", tabindex: 0, role: "region",
        "aria-label": "Accuracy by group and class" }, numbers),
      measureBox.node, plot.node,
      el("details", {}, el("summary", {}, "The numbers"), el("div", { class: "kx-wide", tabindex: 0,
        role: "region", "aria-label": "Numbers of the plot" }, listed)),
      voice.node);

    dial.subscribe((t) => {
      if (toy.temperatures.includes(t)) {
        T = t;
        update();
      }
    });
    new MutationObserver(update).observe(document.documentElement,
      { attributes: true, attributeFilter: ["data-theme"] });
  }

  root.kdfair.student = { onGrid, boundary };
  dom.explain("student", start);
})(window);
