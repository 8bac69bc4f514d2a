"""Solutions of the labs, by question, as they would be written into the notebooks.

For teachers, and for the tests: with these inserted every lab runs through.
"""

SOLUTIONS = {
    "1.1": """
def softmax(logits, T):
    z = np.asarray(logits, dtype=float) / T
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
""",
    "1.2": """
def entropy(p):
    p = np.asarray(p)
    p = p[p > 0]
    return -(p * np.log2(p)).sum()
""",
    "1.3": """
T = np.linspace(0.5, 40, 4000)
p = softmax(np.log([0.09, 0.9, 0.01]), T[:, None])
T_nearest = T[np.abs(p - [0.4, 0.5, 0.1]).sum(axis=1).argmin()]
""",
    "1.4": """
def soft_gradient(student, teacher, T):
    return (softmax(student, T) - softmax(teacher, T)) / T
""",
    "1.5": """
T = np.geomspace(20, 200, 20)
size = [np.linalg.norm(soft_gradient(np.zeros(5), teacher, t)) for t in T]
slope = np.polyfit(np.log(T), np.log(size), 1)[0]
""",
    "1.6": """
def distillation_loss(student, teacher, labels, T, alpha, soft_scale):
    soft = -(softmax(teacher, T) * np.log(softmax(student, T))).sum(axis=-1)
    hard = -np.log(softmax(student, 1))[np.arange(len(labels)), labels]
    scale = T**2 if soft_scale == "T2" else 1
    return np.mean(alpha * scale * soft + (1 - alpha) * hard)
""",
    "1.7": """
def predictions(role, scale=None, T=None):
    return {
        m["seed"]: toy.predict(m["layers"], test.x)
        for m in models
        if (m["role"], m["soft_scale"], m["temperature"]) == (role, scale, T)
    }

nds = predictions("nds")
agreement = {
    scale: np.mean([np.mean(p == nds[s]) for s, p in predictions("ds", scale, 40).items()])
    for scale in ("T2", "none")
}
""",
    "2.1": """
def class_accuracy(y, pred, n_classes):
    return np.array([np.mean(pred[y == c] == c) for c in range(n_classes)])
""",
    "2.2": """
def relative_accuracy(y, preds, n_classes):
    return np.array([class_accuracy(y, p, n_classes) / np.mean(p == y) for p in preds])
""",
    "2.3": """
def welch(a, b):
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    return t, (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
""",
    "2.4": """
def p_values(s, first, second):
    a, b = (relative_accuracy(s["y"], s[role], 100) for role in (first, second))
    return stats.ttest_ind(a, b, equal_var=False).pvalue

sc = {name: (p_values(s, "nds", "ds") <= 0.05).sum() for name, s in study.items()}
""",
    "2.5": """
low, mean, high = stats.binom.ppf(0.025, 100, 0.05), 5, stats.binom.ppf(0.975, 100, 0.05)
""",
    "2.6": """
def benjamini_hochberg(p, level):
    order = np.argsort(p)
    passed = p[order] <= level * np.arange(1, len(p) + 1) / len(p)
    k = np.flatnonzero(passed).max() + 1 if passed.any() else 0
    kept = np.zeros(len(p), dtype=bool)
    kept[order[:k]] = True
    return kept
""",
    "2.7": """
survivors = {n: benjamini_hochberg(p_values(s, "nds", "ds"), 0.05).sum() for n, s in study.items()}
real = max(survivors, key=survivors.get)
""",
    "2.8": """
beyond = table.loc[table["mean"] > high, "temperature"].tolist()
""",
    "3.1": """
def count_table(y, pred, group, n_groups, n_classes):
    table = np.zeros((n_groups, n_classes, n_classes), dtype=int)
    np.add.at(table, (group, y, pred), 1)
    return table
""",
    "3.2": """
def dpd(counts):
    rate = counts[:, :, 1].sum(axis=1) / counts.sum(axis=(1, 2))
    return rate.max() - rate.min()
""",
    "3.3": """
def eod(counts):
    gaps = []
    for label in (1, 0):
        n = counts[:, label].sum(axis=1)
        rate = counts[n > 0, label, 1] / n[n > 0]
        gaps.append(rate.max() - rate.min())
    return max(gaps)
""",
    "3.4": """
def floor(y, group):
    return dpd(count_table(y, y, group, 2, 2))
""",
    "3.5": """
def gap(pair):
    accepted = (score > np.where(group, pair[1], pair[0])).astype(int)
    return eod(count_table(y, accepted, group, 2, 2))

candidates = [(a, b) for a in np.linspace(0, 1.5, 31) for b in np.linspace(-0.5, 1, 31)]
thresholds = min(candidates, key=gap)
""",
    "3.6": """
def algorithm_1(metric, y, pred, group, n_classes):
    each = [metric((y == c).astype(int), (pred == c).astype(int), group) for c in range(n_classes)]
    return np.mean(each)
""",
    "3.7": """
def lower_than_teacher(metric):
    rows = table[table["metric"] == metric]
    teacher = rows.loc[rows["role"] == "teacher", "mean"].item()
    return rows.loc[(rows["role"] == "ds") & (rows["mean"] < teacher), "temperature"].tolist()

below = {metric: lower_than_teacher(metric) for metric in ("dpd", "eod")}
""",
    "3.8": 'right = "b"',
    "4.1": """
def unfairness(p, x):
    i, j = np.triu_indices(len(x), k=1)
    far = np.linalg.norm(x[i] - x[j], axis=1)
    apart = np.abs(p[i] - p[j]).sum(axis=1) / 2
    return (apart[far > 0] / far[far > 0]).mean()
""",
    "4.2": 'constant = unfairness(np.full((300, 3), 1 / 3), data["points"])',
    "4.3": """
def softmax(logits, T=1):
    e = np.exp(logits / T - (logits / T).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

by_temperature = {
    T: unfairness(softmax(data["nds"][0], T), data["points"]) for T in (1, 2, 4, 8)
}
""",
    "4.4": """
def match(logits, target):
    low, high = 0.001, 1000
    for _ in range(60):
        middle = np.sqrt(low * high)
        if softmax(logits, middle).max(axis=-1).mean() > target:
            low = middle
        else:
            high = middle
    return middle
""",
    "4.5": """
def mean_unfairness(logits, temperatures):
    return np.mean([
        unfairness(softmax(z, T), data["points"]) for z, T in zip(logits, temperatures)
    ])

matched = [
    match(nds, softmax(ds).max(axis=-1).mean()) for nds, ds in zip(data["nds"], data["ds"])
]
values = {
    "nds": mean_unfairness(data["nds"], [1] * 5),
    "ds": mean_unfairness(data["ds"], [1] * 5),
    "nds matched": mean_unfairness(data["nds"], matched),
}
""",
    "4.6": """
p = softmax(data["nds"][0])
plain, stretched = unfairness(p, data["points"]), unfairness(p, data["points"] * [1, 10])
""",
    "4.7": 'conclusion = "c"',
    "5.1": """
def mcnemar(b, c):
    if b + c == 0:
        return 1.0
    return min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5))
""",
    "5.2": """
def test(rows):
    teacher, student = (rows[m] == rows["label"] for m in ("teacher", "student"))
    b, c = (teacher & ~student).sum(), (~teacher & student).sum()
    return b - c, mcnemar(b, c)

tests = {site: test(rows) for site, rows in shipment.groupby("site")}
site = min((s for s in tests if tests[s][0] > 0), key=lambda s: tests[s][1])
lost = (site, min(1, 4 * tests[site][1]))
""",
    "5.3": """
def percentile_interval(counts, n_boot, seed):
    n = counts.sum()
    draws = np.random.default_rng(seed).multinomial(n, counts.ravel() / n, size=n_boot)
    draws = draws.reshape(n_boot, *counts.shape)
    rate = draws[..., 1].sum(axis=-1) / draws.sum(axis=(-1, -2))
    gap = rate.max(axis=-1) - rate.min(axis=-1)
    return np.quantile(gap, [0.025, 0.975])
""",
    "5.4": """
share = np.mean([percentile_interval(t, 500, i)[0] > 0 for i, t in enumerate(lab5.fair_worlds())])
""",
    "5.5": """
def verdict(low, high, margin):
    if low > margin:
        return "higher"
    if high < -margin:
        return "lower"
    if -margin < low and high < margin:
        return "no relevant change"
    return "undecided"
""",
    "5.6": """
def trend(values):
    k = values.shape[1]

    def effect(ranks):
        return np.mean([np.corrcoef(r, np.arange(k))[0, 1] for r in ranks])

    ranks = stats.rankdata(values, axis=1)
    rng = np.random.default_rng(0)
    shuffled = [effect(rng.permuted(ranks, axis=1)) for _ in range(2000)]
    return effect(ranks), (1 + np.sum(np.array(shuffled) >= effect(ranks) - 1e-12)) / 2001
""",
    "5.7": """
effect, p = trend(lab5.eod_by_seed())
claim = "fails" if p <= 0.05 else "undecided"
""",
    "5.8": """
most = counts.groupby("study")["mean"].max()
largest = {s: most[s] / (100 if s.startswith("cifar100") else 1000) for s in most.index}
""",
    "5.9": """
def matching(student, teacher, labels, temperature):
    gap = student - teacher
    gap = gap - gap.mean(-1, keepdim=True)
    return gap.pow(2).mean(-1) / (2 * temperature**2)
""",
}
