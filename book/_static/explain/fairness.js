/* Three small populations: demographic parity against equalized odds, the floor of DPD, and
   individual fairness. */
(function (root) {
  "use strict";
  const { math, dom } = root.kdfair;
  const { el, svg, slider, button, speaker, picture } = dom;
  const percent = (x) => (Number.isNaN(x) ? "–" : `${(100 * x).toFixed(1)} %`);
  const points = (x) => (Number.isNaN(x) ? "–" : `${(100 * x).toFixed(1)} points`);

  /** A list of things to try, each ticked once it has been reached. */
  function tasks(list) {
    const items = list.map(([text, reached]) => {
      const mark = el("span", { class: "kx-done", "aria-hidden": "true" }, "○");
      const state = el("span", { class: "kx-speaker" }, " (open)");
      return { node: el("li", {}, mark, " ", text, state), mark, state, reached, done: false };
    });
    let begun = false; // the page's first state is nobody's merit
    return {
      node: el("ul", { class: "kx-tasks", "aria-label": "Things to try" },
        items.map((i) => i.node)),
      look(now) {
        for (const item of items) {
          if (!begun || item.done || !item.reached(now)) continue;
          item.done = true;
          item.mark.textContent = "✓";
          item.state.textContent = " (done)";
          item.node.classList.add("kx-reached");
        }
        begun = true;
      },
    };
  }

  // ---- two thresholds ----------------------------------------------------------------------

  // People by score 0..11. In every column of A there are twice as many qualified as in B's column
  // two to the left, and two thirds as many unqualified: so thresholds two apart give the same
  // rates, exactly, and the base rates are 1/2 and 1/4.
  const COLUMNS = 12;
  const BELL = [1, 1, 2, 2, 2, 1, 1];
  const bell = (first, times) => Array.from({ length: COLUMNS }, (_, c) =>
    times * (BELL[c - first] ?? 0));
  const POPULATION = {
    A: { qualified: bell(5, 2), unqualified: bell(2, 2) },
    B: { qualified: bell(3, 1), unqualified: bell(0, 3) },
  };

  /** Everyone as {group, score, label, decision}; thresholds null: decided by the label. */
  function crowd(thresholds) {
    const people = [];
    for (const [group, { qualified, unqualified }] of Object.entries(POPULATION)) {
      for (let score = 0; score < COLUMNS; score++) {
        for (const [label, counts] of [[1, qualified], [0, unqualified]]) {
          for (let i = 0; i < counts[score]; i++) {
            const decision = thresholds ? Number(score >= thresholds[group]) : label;
            people.push({ group, score, label, decision });
          }
        }
      }
    }
    return people;
  }

  function thresholds(place) {
    const cut = { A: 6, B: 6 };
    let perfect = false;
    const HEIGHT = 150;

    const panels = Object.keys(cut).map((group) => {
      const drawing = picture(HEIGHT, (node, width) => {
        const step = width / COLUMNS;
        const r = Math.min(6.5, step / 2 - 1.5);
        const high = 2 * r + 1.5;
        if (!perfect) {
          node.append(svg("rect", { class: "kx-accepted", x: cut[group] * step, y: 0,
            width: width - cut[group] * step, height: HEIGHT - 22 }));
        }
        const level = new Array(COLUMNS).fill(0);
        for (const p of crowd(perfect ? null : cut).filter((q) => q.group === group)) {
          const x = (p.score + 0.5) * step;
          const y = HEIGHT - 24 - r - level[p.score]++ * high;
          if (perfect && p.decision) {
            node.append(svg("rect", { class: "kx-accepted", x: x - r - 1, y: y - r - 1,
              width: 2 * r + 2, height: 2 * r + 2 }));
          }
          node.append(svg("circle", { cx: x, cy: y, r: r - 1,
            class: p.label ? "kx-qualified" : "kx-unqualified" }));
        }
        for (let score = 0; score < COLUMNS; score++) {
          node.append(svg("text", { class: "kx-ticks", x: (score + 0.5) * step, y: HEIGHT - 6,
            "text-anchor": "middle" }, String(score)));
        }
        if (!perfect) {
          node.append(svg("line", { class: "kx-cut", x1: cut[group] * step, x2: cut[group] * step,
            y1: 0, y2: HEIGHT - 20 }));
        }
      });
      const control = slider({
        label: `Group ${group}: accept from`, min: 0, max: COLUMNS, step: 1, value: cut[group],
        name: `cut-${group}`,
        say: (v) => (v === COLUMNS ? "nobody" : `score ${v}`),
        input: (v) => { cut[group] = v; perfect = false; update(); },
      });
      const follow = (event) => {
        if (event.type === "pointermove" && event.buttons === 0) return;
        const box = drawing.node.getBoundingClientRect();
        cut[group] = Math.max(0, Math.min(COLUMNS,
          Math.round(((event.clientX - box.left) / box.width) * COLUMNS)));
        perfect = false;
        update();
      };
      drawing.node.classList.add("kx-drag");
      drawing.node.addEventListener("pointerdown", follow);
      drawing.node.addEventListener("pointermove", follow);
      return { group, drawing, control };
    });

    const presets = el("div", { class: "kx-buttons", role: "group", "aria-label": "Rules" },
      button("One threshold for all", () => set(6, 6), { "data-name": "same" }),
      button("Equal shares", () => set(8, 5), { "data-name": "parity" }),
      button("Equal odds", () => set(7, 5), { "data-name": "odds" }),
      button("A perfect classifier", () => { perfect = true; update(); }, { "data-name": "perfect" }));
    function set(a, b) {
      [cut.A, cut.B, perfect] = [a, b, false];
      update();
    }

    const table = el("table", { class: "kx-table" });
    const verdict = el("p", { class: "kx-verdict" });
    const voice = speaker();
    const some = (now) => !perfect &&
      Object.values(now.groups).every((g) => g.selection > 0 && g.selection < 1);
    const list = tasks([
      ["Make DPD zero, with some people accepted and some not. What is EOD?",
        (now) => some(now) && now.dpd < 1e-9],
      ["Make EOD zero, again not by treating everyone alike. What is DPD?",
        (now) => some(now) && now.eod < 1e-9],
      ["Make both zero. What did it cost?", (now) => !perfect && now.dpd < 1e-9 && now.eod < 1e-9],
    ]);

    function update() {
      const people = crowd(perfect ? null : cut);
      const now = math.groupFairness(people);
      for (const { group, drawing, control } of panels) {
        control.put(cut[group]);
        drawing.redraw();
        const g = now.groups[group];
        drawing.node.setAttribute("aria-label", `Group ${group}: 40 people by score. ` +
          `${percent(g.selection)} are accepted; ${percent(g.tpr)} of the qualified and ` +
          `${percent(g.fpr)} of the unqualified.`);
      }
      const rows = [
        ["accepted", "selection", now.dpd, " = DPD"],
        ["accepted, of the qualified (TPR)", "tpr", now.tprGap, now.tprGap >= now.fprGap ? " = EOD" : ""],
        ["accepted, of the unqualified (FPR)", "fpr", now.fprGap, now.fprGap > now.tprGap ? " = EOD" : ""],
      ];
      table.replaceChildren(
        el("caption", {}, "What happened to whom"),
        el("thead", {}, el("tr", {}, el("td", {}),
          ["A", "B", "gap"].map((t) => el("th", { scope: "col" }, t)))),
        el("tbody", {}, rows.map(([name, key, gap, is]) => el("tr", {},
          el("th", { scope: "row" }, name),
          el("td", {}, percent(now.groups.A[key])), el("td", {}, percent(now.groups.B[key])),
          el("td", { class: is ? "kx-strong" : "" }, points(gap) + is)))));
      const right = people.filter((p) => p.decision === p.label).length / people.length;
      verdict.textContent = `DPD ${points(now.dpd)}, EOD ${points(now.eod)}; ` +
        `${percent(right)} of the decisions agree with the label.`;
      list.look(now);
      voice.say(verdict.textContent);
    }

    place.append(presets, panels.map(({ drawing, control }) =>
      el("section", { class: "kx-group" }, control.node, drawing.node)).reduce((box, node) => {
      box.append(node);
      return box;
    }, el("div", {})),
    el("p", { class: "kx-note" },
      "A dot is a person: full if qualified, open if not. Shaded: accepted."),
    el("div", { class: "kx-wide", tabindex: 0, role: "region", "aria-label": "Rates by group" },
      table), verdict, list.node, voice.node);
    update();
  }

  // ---- the floor ---------------------------------------------------------------------------

  function floor(place) {
    const PEOPLE = 40;
    const rate = { A: 0.5, B: 0.25 };
    let parity = false;
    const voice = speaker();
    const sentence = el("p", { class: "kx-verdict" });

    function decisions() {
      const positives = { A: Math.round(rate.A * PEOPLE), B: Math.round(rate.B * PEOPLE) };
      // The cheapest way to parity: accept in B as many as in A.
      const accepted = parity ? { A: positives.A, B: positives.A } : positives;
      return Object.keys(rate).flatMap((group) => Array.from({ length: PEOPLE }, (_, i) => ({
        group, label: Number(i < positives[group]), decision: Number(i < accepted[group]),
      })));
    }
    const HEIGHT = 132;
    const drawing = picture(HEIGHT, (node, width) => {
      const step = Math.min(width / 21, 26);
      decisions().forEach((p, k) => {
        const i = k % PEOPLE;
        const x = 22 + ((i % 20) + 0.5) * ((width - 22) / 20);
        const y = (p.group === "A" ? 18 : 84) + Math.floor(i / 20) * 26;
        const r = Math.min(9, step / 2 - 1);
        if (p.decision) {
          node.append(svg("rect", { class: "kx-accepted", x: x - r - 2, y: y - r - 2,
            width: 2 * r + 4, height: 2 * r + 4 }));
        }
        node.append(svg("circle", { cx: x, cy: y, r: r - 1,
          class: p.label ? "kx-qualified" : "kx-unqualified" }));
        if (p.decision !== p.label) {
          node.append(svg("path", { class: "kx-wrong",
            d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x + r} ${y - r}L${x - r} ${y + r}` }));
        }
      });
      node.append(svg("text", { x: 0, y: 36 }, "A"), svg("text", { x: 0, y: 102 }, "B"));
    });
    const controls = Object.keys(rate).map((group) => slider({
      label: `Qualified in group ${group}`, min: 0, max: 100, step: 5, value: 100 * rate[group],
      name: `rate-${group}`, say: (v) => `${v} %`,
      input: (v) => { rate[group] = v / 100; update(); },
    }));
    const toggle = button("Force equal shares", () => {
      parity = !parity;
      update();
    }, { "data-name": "force", "aria-pressed": "false" });

    function update() {
      const people = decisions();
      const now = math.groupFairness(people);
      const wrong = people.filter((p) => p.decision !== p.label).length;
      toggle.setAttribute("aria-pressed", String(parity));
      sentence.textContent = parity
        ? `DPD ${points(now.dpd)}, and ${wrong} of ${people.length} decisions are wrong ` +
          `(crossed out): EOD ${points(now.eod)}. No classifier reaches DPD 0 with fewer errors.`
        : `Every decision is right: EOD ${points(now.eod)}. DPD is ${points(now.dpd)}, the ` +
          "difference of base rates. That is the floor.";
      drawing.node.setAttribute("aria-label",
        `Two groups of ${PEOPLE} people. ${sentence.textContent}`);
      drawing.redraw();
      voice.say(sentence.textContent);
    }
    place.append(controls[0].node, controls[1].node, el("div", { class: "kx-buttons" }, toggle),
      drawing.node, sentence, voice.node);
    update();
  }

  // ---- individual fairness -----------------------------------------------------------------

  // Twelve people a group on a line of scores, no two in the same place; the qualified are those
  // with a score of at least 6.
  const LINE = [
    ...Array.from({ length: 12 }, (_, i) => ({ group: "A", score: 3.1 + 0.7 * i })),
    ...Array.from({ length: 12 }, (_, i) => ({ group: "B", score: 0.75 + 0.7 * i })),
  ].map((p) => ({ ...p, label: Number(p.score >= 6) }));

  /** Chance of acceptance of everyone: a logistic curve around the group's threshold. */
  const chances = (cut, softness) =>
    LINE.map((p) => math.sigmoid((p.score - cut[p.group]) / softness));

  /** The pair that is treated most differently for how near it is. */
  function worstPair(f) {
    let worst = [0, 1];
    let most = -1;
    for (let i = 0; i < f.length; i++) {
      for (let j = i + 1; j < f.length; j++) {
        const ratio = Math.abs(f[i] - f[j]) / Math.abs(LINE[i].score - LINE[j].score);
        if (ratio > most) [most, worst] = [ratio, [i, j]];
      }
    }
    return { pair: worst, ratio: most };
  }

  function individual(place) {
    const cut = { A: 6, B: 6 };
    let softness = 0.5;
    const HEIGHT = 240;
    const voice = speaker();
    const sentence = el("p", { class: "kx-verdict" });
    const pairText = el("p", {});
    const drawing = picture(HEIGHT, (node, width) => {
      const box = { left: 34, right: 8, top: 10, bottom: 34 };
      const x = (s) => box.left + ((width - box.left - box.right) * s) / 12;
      const y = (f) => HEIGHT - box.bottom - (HEIGHT - box.top - box.bottom) * f;
      node.append(svg("rect", { class: "kx-accepted", x: box.left, y: y(1),
        width: width - box.left - box.right, height: y(0.5) - y(1) }));
      for (const f of [0, 0.5, 1]) {
        node.append(
          svg("line", { class: "kx-grid", x1: box.left, x2: width - box.right, y1: y(f), y2: y(f) }),
          svg("text", { class: "kx-ticks", x: box.left - 5, y: y(f) + 4, "text-anchor": "end" },
            String(f)));
      }
      for (let s = 0; s <= 12; s += 2) {
        node.append(svg("text", { class: "kx-ticks", x: x(s), y: HEIGHT - box.bottom + 16,
          "text-anchor": "middle" }, String(s)));
      }
      node.append(svg("text", { class: "kx-axis", x: (box.left + width) / 2, y: HEIGHT - 4,
        "text-anchor": "middle" }, "score; upwards: chance of acceptance f"));
      for (const group of ["A", "B"]) {
        const curve = Array.from({ length: 121 }, (_, i) => i / 10).map((s, i) =>
          `${i ? "L" : "M"}${x(s)} ${y(math.sigmoid((s - cut[group]) / softness))}`);
        node.append(svg("path", { class: `kx-curve kx-of-${group}`, d: curve.join("") }));
      }
      const f = chances(cut, softness);
      const [i, j] = worstPair(f).pair;
      node.append(svg("line", { class: "kx-pair", x1: x(LINE[i].score), x2: x(LINE[j].score),
        y1: y(f[i]), y2: y(f[j]) }));
      LINE.forEach((p, k) => {
        node.append(p.group === "A"
          ? svg("circle", { class: "kx-of-A", cx: x(p.score), cy: y(f[k]), r: 5 })
          : svg("rect", { class: "kx-of-B", x: x(p.score) - 4.5, y: y(f[k]) - 4.5, width: 9,
            height: 9 }));
      });
    });
    const cuts = ["A", "B"].map((group) => slider({
      label: `Threshold of group ${group}`, min: 0, max: 12, step: 0.1, value: 6,
      name: `line-${group}`, say: (v) => v.toFixed(1),
      input: (v) => { cut[group] = v; update(); },
    }));
    const soft = slider({
      label: "Softness of the model", min: 0.1, max: 8, step: 0.1, value: softness,
      name: "softness", say: (v) => v.toFixed(1),
      input: (v) => { softness = v; update(); },
    });
    const presets = el("div", { class: "kx-buttons", role: "group", "aria-label": "Models" },
      button("One threshold", () => set(6, 6), { "data-name": "one" }),
      button("Equal shares", () => set(7, 4.5), { "data-name": "shares" }));
    function set(a, b) {
      [cut.A, cut.B] = [a, b];
      update();
    }
    const list = tasks([
      ["Make DPD zero. Which two people would complain?", (now) => now.dpd < 1e-9],
      ["With equal shares, halve the individual unfairness without changing one decision.",
        (now) => now.dpd < 1e-9 && now.unfairness < 0.115],
      ["Treat similar people alike (one threshold). What does DPD say?",
        (now) => Math.abs(cut.A - cut.B) < 0.05 && now.dpd > 0.1],
    ]);

    function update() {
      const f = chances(cut, softness);
      const people = LINE.map((p, k) => ({ ...p, decision: Number(f[k] >= 0.5) }));
      const fair = math.groupFairness(people);
      const unfairness = math.individualUnfairness(f, LINE.map((p) => [p.score]));
      const { pair: [i, j] } = worstPair(f);
      cuts[0].put(cut.A);
      cuts[1].put(cut.B);
      soft.put(softness);
      sentence.textContent = `Individual unfairness ${unfairness.toFixed(3)} (lower is fairer); ` +
        `DPD ${points(fair.dpd)}, EOD ${points(fair.eod)}.`;
      pairText.textContent = `The most unequal pair (linked): scores ` +
        `${LINE[i].score.toFixed(2)} in group ${LINE[i].group} and ${LINE[j].score.toFixed(2)} in ` +
        `group ${LINE[j].group}, chances ${f[i].toFixed(2)} and ${f[j].toFixed(2)}.`;
      drawing.node.setAttribute("aria-label", `${sentence.textContent} ${pairText.textContent}`);
      drawing.redraw();
      list.look({ ...fair, unfairness });
      voice.say(`${sentence.textContent} ${pairText.textContent}`);
    }
    place.append(presets, cuts[0].node, cuts[1].node, soft.node, drawing.node,
      el("p", { class: "kx-note" }, svg("svg", { width: 14, height: 14, "aria-hidden": "true" },
        svg("circle", { class: "kx-of-A", cx: 7, cy: 7, r: 5 })), " group A (solid line)  ",
      svg("svg", { width: 14, height: 14, "aria-hidden": "true" },
        svg("rect", { class: "kx-of-B", x: 2.5, y: 2.5, width: 9, height: 9 })),
      " group B (dashed line). Shaded: accepted, f ≥ 0.5. Qualified: score 6 or more."),
      sentence, pairText, list.node, voice.node);
    update();
  }

  root.kdfair.fairness = { crowd, LINE, chances };
  dom.explain("thresholds", thresholds);
  dom.explain("floor", floor);
  dom.explain("individual", individual);
})(window);
