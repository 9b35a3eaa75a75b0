"""What scikit-learn and pandas make of the columns of a small made-up table.

Every transform is fitted on the first TRAIN rows alone and applied to all. The table has missing values,
ties, a constant column, and categories that the training rows lack.

    python tests/goldens/transforms.py > tests/goldens/transforms.json
"""

import io
import json
import math

import numpy as np
import pandas as pd
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

ROWS, TRAIN = 60, 42
TOWNS = ["Leeds", "York", "Hull", "Bath"]
rng = np.random.default_rng(7)


def table():
    """Passengers of a ship that never sailed."""
    lines = ["age,fare,flat,berth,town,boarded"]
    for row in range(ROWS):
        age = "" if row % 7 == 3 else str(int(rng.integers(1, 9)) * 5)
        fare = repr(round(float(rng.lognormal(2, 1)), 2)) if row % 5 else "8.05"
        berth = str(int(rng.integers(1, 12)))
        town = "" if row % 11 == 4 else TOWNS[int(rng.integers(0, 4))]
        if row >= TRAIN and row % 6 == 0:
            town = "Dover"
        day = pd.Timestamp("1999-11-30") + pd.Timedelta(hours=int(rng.integers(0, 20000)))
        lines.append(f"{age},{fare},1.5,{berth},{town},{day:%d/%m/%Y %H:%M}")
    return "\n".join(lines) + "\n"


text = table()
frame = pd.read_csv(io.StringIO(text), dtype={"town": object})
train = frame[:TRAIN]
cases = []


def case(how, values):
    """`how` types the column `x`; `values` are its rows, NaN where nothing may be compared."""
    array = np.asarray(values, dtype=np.float64)
    rows = array.reshape(ROWS, -1)
    cases.append({"how": how, "want": [[None if math.isnan(v) else v for v in row] for row in rows]})


def fitted(how, column, *steps):
    """A chain of scikit-learn's transformers, each fitted on training rows behind the last."""
    known, all_rows = train[[column]].to_numpy(), frame[[column]].to_numpy()
    for step in steps:
        step.fit(known)
        known, all_rows = step.transform(known), step.transform(all_rows)
    case(how, all_rows)


def quantiles(n, output="uniform"):
    return QuantileTransformer(n_quantiles=n, subsample=None, output_distribution=output)


def computed(how, values, *steps):
    """A column that is computed first: transformers are fitted on what it is in training rows."""
    all_rows = values.to_numpy(dtype=np.float64).reshape(-1, 1)
    known = all_rows[:TRAIN]
    for step in steps:
        step.fit(known)
        known, all_rows = step.transform(known), step.transform(all_rows)
    case(how, all_rows)


def bins(n, strategy):
    return KBinsDiscretizer(n, encode="ordinal", strategy=strategy, quantile_method="linear", subsample=None)


median, mean = SimpleImputer(strategy="median"), SimpleImputer(strategy="mean")
frequent = SimpleImputer(strategy="most_frequent")
one_hot = OneHotEncoder(sparse_output=False)
ignoring = OneHotEncoder(sparse_output=False, handle_unknown="ignore")

fitted("fare |> standardize", "fare", StandardScaler())
fitted("fare |> minmax", "fare", MinMaxScaler())
fitted("fare |> robust", "fare", RobustScaler())
fitted("fare |> quantile", "fare", quantiles(TRAIN))
fitted("fare |> quantile(n=7)", "fare", quantiles(7))
fitted("berth |> quantile(n=11)", "berth", quantiles(11))
fitted("fare |> log", "fare", FunctionTransformer(np.log))
fitted("fare |> log1p |> standardize", "fare", FunctionTransformer(np.log1p), StandardScaler())
fitted("fare |> clip(2, 20) |> minmax", "fare", FunctionTransformer(lambda x: np.clip(x, 2, 20)), MinMaxScaler())
fitted("fare |> bins(5)", "fare", bins(5, "quantile"))
fitted("fare |> bins(6, by=uniform)", "fare", bins(6, "uniform"))
fitted("berth |> bins(4)", "berth", bins(4, "quantile"))
fitted("flat |> standardize", "flat", StandardScaler())
fitted("flat |> minmax", "flat", MinMaxScaler())
fitted("flat |> robust", "flat", RobustScaler())
fitted("flat |> quantile(n=5)", "flat", quantiles(5))
fitted("age |> impute(mean) |> standardize", "age", mean, StandardScaler())
fitted("age |> impute(median)", "age", median)
fitted("age |> impute(most_frequent) |> float", "age", frequent)
fitted("age |> impute(constant, -1)", "age", SimpleImputer(strategy="constant", fill_value=-1))
# Scalers leave missing values out and pass them on: impute may come behind.
fitted("age |> standardize |> impute(constant, 0)", "age", StandardScaler(), SimpleImputer(strategy="constant", fill_value=0))
fitted("age |> minmax |> impute(median)", "age", MinMaxScaler(), median)
fitted("age |> robust |> impute(mean)", "age", RobustScaler(), mean)
fitted("age |> quantile(n=9) |> impute(mean)", "age", quantiles(9), mean)
fitted("berth |> one_hot(unknown=ignore)", "berth", ignoring)
fitted("town |> one_hot(unknown=ignore)", "town", ignoring)
fitted("town |> impute(most_frequent) |> one_hot(unknown=ignore)", "town", frequent, ignoring)
fitted(
    'town |> impute(constant, "at sea") |> one_hot(unknown=ignore)',
    "town",
    SimpleImputer(strategy="constant", fill_value="at sea"),
    ignoring,
)
fitted("fare |> bins(5) |> one_hot", "fare", bins(5, "quantile"), one_hot)

fitted("fare |> quantile(to=normal)", "fare", quantiles(TRAIN, "normal"))
fitted("berth |> quantile(n=11, to=normal)", "berth", quantiles(11, "normal"))
fitted("flat |> quantile(n=5, to=normal)", "flat", quantiles(5, "normal"))
computed("(fare / berth^2) |> standardize", frame.fare / frame.berth**2, StandardScaler())
computed(
    "(fare - berth) |> clip(-5, 20) |> minmax",
    frame.fare - frame.berth,
    FunctionTransformer(lambda x: np.clip(x, -5, 20)),
    MinMaxScaler(),
)
computed("log(fare * berth) |> robust", np.log(frame.fare * frame.berth), RobustScaler())
computed("(fare + age) |> impute(median) |> standardize", frame.fare + frame.age, median, StandardScaler())
computed("(berth * 2 - 1) |> bins(4) |> one_hot", frame.berth * 2 - 1, bins(4, "quantile"), one_hot)

# Known values as scikit-learn and pandas number them; what the training rows lack is behind all others.
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=98, encoded_missing_value=99).fit(train[["town"]])
ids = ordinal.transform(frame[["town"]])[:, 0]
names = len(ordinal.categories_[0]) - 1
case("town |> category(unknown=other)", [names if i == 99 else names + 1 if i == 98 else i for i in ids])
codes = pd.Categorical(frame["town"], categories=sorted(train["town"].dropna().unique())).codes
assert all(a == b for a, b in zip(codes, ids) if b < 98)
dummies = pd.get_dummies(frame["berth"].where(frame["berth"].isin(train["berth"])))
berths = next(c for c in cases if c["how"] == "berth |> one_hot(unknown=ignore)")
assert np.array_equal(dummies.to_numpy(dtype=float), np.asarray(berths["want"]))

when = pd.to_datetime(frame["boarded"], format="%d/%m/%Y %H:%M")
PARTS = {
    "year": when.dt.year,
    "month": when.dt.month,
    "day": when.dt.day,
    "weekday": when.dt.weekday,
    "dayofyear": when.dt.dayofyear,
    "hour": when.dt.hour,
    "minute": when.dt.minute,
    "second": when.dt.second,
    "days": (when - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1),
}
for part, values in PARTS.items():
    case(f'boarded |> date("%d/%m/%Y %H:%M", part={part})', values)
case('boarded |> date("%d/%m/%Y %H:%M", part=[month, weekday, hour])', np.stack([PARTS["month"], PARTS["weekday"], PARTS["hour"]], axis=1))
case('boarded |> date("%d/%m/%Y %H:%M") |> minmax', MinMaxScaler().fit(PARTS["days"].to_frame()[:TRAIN]).transform(PARTS["days"].to_frame()))

json.dump({"sklearn": sklearn.__version__, "pandas": pd.__version__, "train": TRAIN, "table": text, "cases": cases}, __import__("sys").stdout, indent=None)
