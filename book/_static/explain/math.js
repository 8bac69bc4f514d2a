/* The arithmetic behind the explanations: no page, no state. Tested against numpy and against
   kdfair_core.metrics in tests/explain/test_explain_math.py. */
(function (root) {
  "use strict";

  // ---- temperature -------------------------------------------------------------------------

  /** Softmax of logits / T (the paper's equation 5). */
  function softmax(logits, T = 1) {
    const top = Math.max(...logits);
    const powers = logits.map((z) => Math.exp((z - top) / T));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / sum);
  }

  /** Entropy in bits; 0 log 0 is 0. */
  function entropy(p) {
    return -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log2(x) : 0), 0);
  }

  const length = (v) => Math.hypot(...v);

  /** Lengths of the gradients of the loss's terms with respect to the student's logits.
      Soft term: alpha * s * (q_T - p_T) / T, with s = 1 or T^2; hard term: (1 - alpha) * (q_1 - y). */
  function gradientSizes(teacher, student, label, T, alpha = 0.8) {
    const p = softmax(teacher, T);
    const q = softmax(student, T);
    const q1 = softmax(student, 1);
    const plain = (alpha / T) * length(q.map((x, i) => x - p[i]));
    const hard = (1 - alpha) * length(q1.map((x, i) => x - (i === label ? 1 : 0)));
    return { plain, scaled: plain * T * T, hard };
  }

  /** Half the sum of absolute differences: the share of probability that has to move. */
  function totalVariation(p, q) {
    return p.reduce((sum, x, i) => sum + Math.abs(x - q[i]), 0) / 2;
  }

  /** The T in [low, high] at which softmax(logits / T) is nearest to target (total variation).
      A fine search on a logarithmic grid, twice refined: the distance may have several valleys. */
  function nearestTemperature(logits, target, low = 0.5, high = 40) {
    let best = low;
    for (let round = 0; round < 3; round++) {
      const steps = 400;
      const ratio = Math.pow(high / low, 1 / steps);
      let smallest = Infinity;
      for (let i = 0, T = low; i <= steps; i++, T *= ratio) {
        const distance = totalVariation(softmax(logits, T), target);
        if (distance < smallest) [smallest, best] = [distance, T];
      }
      [low, high] = [best / ratio, best * ratio];
    }
    return best;
  }

  // ---- a small network ---------------------------------------------------------------------

  /** Logits of a multilayer perceptron with tanh between layers.
      layers: [{w: [[...]], b: [...]}, ...], w[i][j] from input i to output j. */
  function network(layers, x) {
    let h = x;
    layers.forEach(({ w, b }, depth) => {
      const out = b.slice();
      for (let i = 0; i < h.length; i++) {
        for (let j = 0; j < out.length; j++) out[j] += h[i] * w[i][j];
      }
      h = depth < layers.length - 1 ? out.map(Math.tanh) : out;
    });
    return h;
  }

  const argmax = (v) => v.reduce((best, x, i) => (x > v[best] ? i : best), 0);

  // ---- fairness ----------------------------------------------------------------------------

  /** Rates of one group of people {label, decision} (0 or 1). No positives: tpr is NaN. */
  function rates(people) {
    const share = (some) =>
      some.length ? some.filter((p) => p.decision === 1).length / some.length : NaN;
    return {
      n: people.length,
      selection: share(people),
      tpr: share(people.filter((p) => p.label === 1)),
      fpr: share(people.filter((p) => p.label === 0)),
      accuracy: people.filter((p) => p.decision === p.label).length / people.length,
    };
  }

  /** Largest minus smallest; undefined rates are left out, fewer than two left is NaN. */
  function spread(values) {
    const known = values.filter((v) => !Number.isNaN(v));
    return known.length < 2 ? NaN : Math.max(...known) - Math.min(...known);
  }

  /** DPD (equation 1) and EOD (equation 4) of people {group, label, decision}. */
  function groupFairness(people) {
    const names = [...new Set(people.map((p) => p.group))].sort();
    const groups = names.map((name) => rates(people.filter((p) => p.group === name)));
    const tprGap = spread(groups.map((g) => g.tpr));
    const fprGap = spread(groups.map((g) => g.fpr));
    return {
      groups: Object.fromEntries(names.map((name, i) => [name, groups[i]])),
      dpd: spread(groups.map((g) => g.selection)),
      tprGap,
      fprGap,
      eod: Math.max(tprGap, fprGap), // NaN if either is
    };
  }

  const sigmoid = (u) => 1 / (1 + Math.exp(-u));

  /** Mean of |f(x) - f(x')| / |x - x'| over all pairs whose features differ (Euclidean). */
  function individualUnfairness(scores, features) {
    let sum = 0;
    let pairs = 0;
    for (let i = 0; i < scores.length; i++) {
      for (let j = i + 1; j < scores.length; j++) {
        const d = Math.hypot(...features[i].map((v, k) => v - features[j][k]));
        if (d <= 1e-9) continue; // the same point: no ratio
        sum += Math.abs(scores[i] - scores[j]) / d;
        pairs += 1;
      }
    }
    return pairs ? sum / pairs : NaN;
  }

  const math = {
    softmax, entropy, gradientSizes, totalVariation, nearestTemperature, network, argmax,
    rates, spread, groupFairness, sigmoid, individualUnfairness,
  };
  root.kdfair = root.kdfair || {};
  root.kdfair.math = math;
  if (typeof module !== "undefined") module.exports = math;
})(typeof window === "undefined" ? globalThis : window);
