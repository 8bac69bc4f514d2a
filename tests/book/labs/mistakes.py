"""Answers that students give, and a word that the check should say about each."""

MISTAKES = [
    (
        "1.1",
        "sum to one",
        """
def softmax(logits, T):
    e = np.exp(logits / T)
    return e / e.sum()
""",
    ),
    (
        "1.1",
        "nearly equal",
        """
def softmax(logits, T):
    z = logits * T
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
""",
    ),
    (
        "1.1",
        "not finite",
        """
def softmax(logits, T):
    e = np.exp(logits / T)
    return e / e.sum(-1, keepdims=True)
""",
    ),
    (
        "1.2",
        "base",
        """
def entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return -(p * np.log(p)).sum()
""",
    ),
    (
        "1.2",
        "NaN",
        """
def entropy(p):
    with np.errstate(all='ignore'):
        return -(p * np.log2(p)).sum()
""",
    ),
    ("1.3", "slide says", "T_nearest = 10"),
    ("1.3", "smaller", "T_nearest = 3.56"),
    (
        "1.4",
        "sign",
        """
def soft_gradient(student, teacher, T):
    return (softmax(teacher, T) - softmax(student, T)) / T
""",
    ),
    (
        "1.4",
        "numerical derivative",
        """
def soft_gradient(student, teacher, T):
    return softmax(student, T) - softmax(teacher, T)
""",
    ),
    ("1.5", "not the slope", "slope = -1.0"),
    ("1.5", "negative", "slope = 2"),
    (
        "1.6",
        "both sides",
        """
def distillation_loss(student, teacher, labels, T, alpha, soft_scale):
    soft = -(softmax(teacher, T) * np.log(softmax(student, 1))).sum(-1)
    hard = -np.log(softmax(student, 1))[np.arange(len(labels)), labels]
    return np.mean(alpha * (T**2 if soft_scale == 'T2' else 1) * soft + (1 - alpha) * hard)
""",
    ),
    (
        "1.6",
        "alpha = 0",
        """
def distillation_loss(student, teacher, labels, T, alpha, soft_scale):
    soft = -(softmax(teacher, T) * np.log(softmax(student, T))).sum(-1)
    hard = -np.log(softmax(student, T))[np.arange(len(labels)), labels]
    return np.mean(alpha * (T**2 if soft_scale == 'T2' else 1) * soft + (1 - alpha) * hard)
""",
    ),
    ("1.7", "five seeds", 'agreement = {"T2": 0.5, "none": 0.5}'),
    (
        "2.1",
        "belong to",
        """
def class_accuracy(y, pred, n_classes):
    return np.array([np.mean(y[pred == c] == c) for c in range(n_classes)])
""",
    ),
    (
        "2.1",
        "own size",
        """
def class_accuracy(y, pred, n_classes):
    return np.array([np.mean((y == c) & (pred == c)) for c in range(n_classes)])
""",
    ),
    (
        "2.2",
        "all examples",
        """
def relative_accuracy(y, preds, n_classes):
    a = np.array([class_accuracy(y, p, n_classes) for p in preds])
    return a / a.mean(axis=1, keepdims=True)
""",
    ),
    (
        "2.2",
        "own overall",
        """
def relative_accuracy(y, preds, n_classes):
    a = np.array([class_accuracy(y, p, n_classes) for p in preds])
    return a / (preds == y).mean()
""",
    ),
    (
        "2.3",
        "Student",
        """
def welch(a, b):
    r = stats.ttest_ind(a, b)
    return r.statistic, r.df
""",
    ),
    (
        "2.3",
        "equal variances",
        """
def welch(a, b):
    r = stats.ttest_ind(a, b, equal_var=False)
    return r.statistic, 11
""",
    ),
    (
        "2.3",
        "sign",
        """
def welch(a, b):
    r = stats.ttest_ind(b, a, equal_var=False)
    return r.statistic, r.df
""",
    ),
    ("2.4", "count for A", 'sc = {"A": 5, "B": 5, "C": 5}'),
    ("2.5", "central 95", "low, mean, high = 0, 5, 10"),
    (
        "2.6",
        "no correction",
        """
def benjamini_hochberg(p, level):
    return p <= level
""",
    ),
    (
        "2.6",
        "Bonferroni",
        """
def benjamini_hochberg(p, level):
    return p <= level / len(p)
""",
    ),
    (
        "2.6",
        "largest rank",
        """
def benjamini_hochberg(p, level):
    rank = np.argsort(np.argsort(p)) + 1
    return p <= level * rank / len(p)
""",
    ),
    ("2.7", "survives", 'real = "A"'),
    ("2.8", "upper end", "beyond = [2, 3]"),
    (
        "3.1",
        "swapped",
        """
def count_table(y, pred, group, n_groups, n_classes):
    t = np.zeros((n_groups, n_classes, n_classes))
    np.add.at(t, (group, pred, y), 1)
    return t
""",
    ),
    (
        "3.2",
        "size of the group",
        """
def dpd(counts):
    r = counts[:, :, 1].sum(1) / counts.sum()
    return r.max() - r.min()
""",
    ),
    (
        "3.2",
        "look at the label",
        """
def dpd(counts):
    r = counts[:, 1, 1] / counts[:, 1].sum(1)
    return r.max() - r.min()
""",
    ),
    (
        "3.3",
        "larger",
        """
def eod(counts):
    r = counts[:, 1, 1] / counts[:, 1].sum(1)
    return r.max() - r.min()
""",
    ),
    (
        "3.3",
        "TPR 0",
        """
def eod(counts):
    with np.errstate(all='ignore'):
        r = np.nan_to_num(counts[:, :, 1] / counts.sum(2))
    return np.ptp(r, axis=0).max()
""",
    ),
    (
        "3.3",
        "leave it out",
        """
def eod(counts):
    with np.errstate(all='ignore'):
        r = counts[:, :, 1] / counts.sum(2)
    return np.ptp(r, axis=0).max()
""",
    ),
    (
        "3.4",
        "never wrong",
        """
def floor(y, group):
    return 0.0
""",
    ),
    ("3.5", "EOD is", "thresholds = (0.8, 0.8)"),
    ("3.5", "at least a fifth", "thresholds = (9.0, 9.0)"),
    (
        "3.6",
        "sum",
        """
def algorithm_1(metric, y, pred, group, n_classes):
    return sum(metric((y == c) * 1, (pred == c) * 1, group) for c in range(n_classes))
""",
    ),
    (
        "3.6",
        "binary",
        """
def algorithm_1(metric, y, pred, group, n_classes):
    return metric(y, pred, group)
""",
    ),
    ("3.7", "dpd", 'below = {"dpd": [], "eod": []}'),
    ("3.8", "no mistake", 'right = "a"'),
    (
        "4.1",
        "half",
        """
def unfairness(p, x):
    i, j = np.triu_indices(len(x), k=1)
    return (np.abs(p[i] - p[j]).sum(1) / np.linalg.norm(x[i] - x[j], axis=1)).mean()
""",
    ),
    (
        "4.1",
        "denominator",
        """
def unfairness(p, x):
    i, j = np.triu_indices(len(x), k=1)
    return (np.abs(p[i] - p[j]).sum(1) / 2 * np.linalg.norm(x[i] - x[j], axis=1)).mean()
""",
    ),
    (
        "4.1",
        "same place",
        """
def unfairness(p, x):
    i, j = np.triu_indices(len(x), k=1)
    with np.errstate(all='ignore'):
        return (np.abs(p[i] - p[j]).sum(1) / 2 / np.linalg.norm(x[i] - x[j], axis=1)).mean()
""",
    ),
    ("4.2", "same answer", "constant = 1"),
    ("4.3", "T = 1", "by_temperature = {1: 0.3, 2: 0.3, 4: 0.3, 8: 0.3}"),
    (
        "4.4",
        "not the target",
        """
def match(logits, target):
    return 2.0
""",
    ),
    ("4.5", "five seeds", 'values = {"nds": 0.3, "ds": 0.3, "nds matched": 0.3}'),
    ("4.6", "two distances", "plain, stretched = 0.3, 0.3"),
    ("4.7", "softened", 'conclusion = "a"'),
    (
        "5.1",
        "one-sided",
        """
def mcnemar(b, c):
    return stats.binom.cdf(min(b, c), b + c, 0.5)
""",
    ),
    (
        "5.1",
        "exact",
        """
def mcnemar(b, c):
    if b == c:
        return 1.0
    return stats.chi2.sf((b - c) ** 2 / (b + c), 1)
""",
    ),
    ("5.2", "another site", 'lost = ("A", 0.01)'),
    (
        "5.2",
        "times four",
        """
def test(rows):
    t, s = (rows[m] == rows['label'] for m in ('teacher', 'student'))
    return mcnemar((t & ~s).sum(), (~t & s).sum())
lost = ('C', test(shipment[shipment['site'] == 'C']))
""",
    ),
    (
        "5.3",
        "quantiles",
        """
def percentile_interval(counts, n_boot, seed):
    return 0.0, 0.4
""",
    ),
    ("5.4", "begins above zero", "share = 0.05"),
    (
        "5.5",
        "margin",
        """
def verdict(low, high, margin):
    return 'higher' if low > 0 else 'lower' if high < 0 else 'no relevant change'
""",
    ),
    (
        "5.6",
        "mean over seeds",
        """
def trend(values):
    r = stats.spearmanr(np.arange(values.shape[1]), values.mean(axis=0))
    return r.statistic, r.pvalue
""",
    ),
    ("5.7", "how surely", 'claim = "holds"'),
    (
        "5.8",
        "cifar100",
        """
largest = {"cifar100": 0.41, "cifar100-densenet": 0.41, "imagenet": 0.41, "imagenet-vit": 0.41}
""",
    ),
    (
        "5.9",
        "move together",
        """
def matching(student, teacher, labels, temperature):
    return (student - teacher).pow(2).mean(-1) / (2 * temperature**2)
""",
    ),
    (
        "5.9",
        "times T squared",
        """
def matching(student, teacher, labels, temperature):
    gap = student - teacher
    return (gap - gap.mean(-1, keepdim=True)).pow(2).mean(-1) / 2
""",
    ),
]
