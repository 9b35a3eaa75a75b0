"""Tables as other programs write them: pyarrow, numpy and pandas.

Writes tests/goldens/tables/*, and tables.json with what each column holds: numbers behind a `=`, strings, or null
for what is missing. `cargo test --lib goldens` reads every file and compares.
Made with pyarrow 26.0.1, numpy 2.4.6, pandas 3.1.
"""

import datetime as dt
import decimal
import json
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 40
HERE = pathlib.Path(__file__).parent
OUT = HERE / "tables"
OUT.mkdir(exist_ok=True)
rng = np.random.default_rng(7)


def gaps(values):
    return [None if i % 5 == 3 else v for i, v in enumerate(values)]


ints = [int(x) for x in rng.integers(-100, 100, ROWS)]
floats = [float(x) for x in rng.normal(size=ROWS)]
words = [["Oslo", 'a "b", c', "line\nbreak", "é😀", ""][i % 5] for i in range(ROWS)]
days = [dt.date(1899, 12, 30) + dt.timedelta(days=1009 * i) for i in range(ROWS)]
moments = [dt.datetime(1969, 12, 31, 23, 59, 58) + dt.timedelta(hours=1000 * i, microseconds=1500 * i) for i in range(ROWS)]
money = [decimal.Decimal(int(x)) / 100 for x in rng.integers(-99999, 99999, ROWS)]
big = [2**60 + i for i in range(ROWS)]

arrow = pa.table(
    {
        "i8": pa.array(ints, pa.int8()),
        "i32": pa.array(ints, pa.int32()),
        "i64": pa.array(ints, pa.int64()),
        "i64_gaps": pa.array(gaps(ints), pa.int64()),
        "u32": pa.array([2**32 - 1 - i for i in range(ROWS)], pa.uint32()),
        "big": pa.array(gaps(big), pa.int64()),
        "f32": pa.array(floats, pa.float32()),
        "f64": pa.array(floats, pa.float64()),
        "f64_gaps": pa.array(gaps(floats), pa.float64()),
        "bool": pa.array([i % 3 == 0 for i in range(ROWS)]),
        "bool_gaps": pa.array(gaps([i % 3 == 0 for i in range(ROWS)])),
        "text": pa.array(words),
        "text_gaps": pa.array(gaps(words)),
        "kind": pa.array(words).dictionary_encode(),
        "day": pa.array(gaps(days), pa.date32()),
        "at_s": pa.array([m.replace(microsecond=0) for m in moments], pa.timestamp("s")),
        "at_ms": pa.array([m.replace(microsecond=0) for m in moments], pa.timestamp("ms")),
        "at_us": pa.array(gaps(moments), pa.timestamp("us")),
        "at_ns": pa.array(moments, pa.timestamp("ns", tz="UTC")),
        "money": pa.array(gaps(money), pa.decimal128(12, 2)),
        "list": pa.array([[1, 2]] * ROWS),
    }
)
forms = {
    "plain": dict(compression="none", use_dictionary=False),
    "snappy": dict(compression="snappy"),
    "gzip": dict(compression="gzip", row_group_size=7),
    "zstd": dict(compression="zstd", data_page_version="2.0"),
    "lz4": dict(compression="lz4", data_page_size=64),
    "delta": dict(
        compression="none",
        use_dictionary=False,
        column_encoding={
            "i64": "DELTA_BINARY_PACKED",
            "text": "DELTA_BYTE_ARRAY",
            "text_gaps": "DELTA_LENGTH_BYTE_ARRAY",
            "f64": "BYTE_STREAM_SPLIT",
        },
        data_page_version="2.0",
        use_deprecated_int96_timestamps=False,
    ),
}
for name, how in forms.items():
    pq.write_table(arrow, OUT / f"{name}.parquet", **how)
pq.write_table(arrow.select(["at_us"]), OUT / "int96.parquet", use_deprecated_int96_timestamps=True)


def stamp(m):
    if m is None:
        return None
    text = m.strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{m.microsecond:06d}".rstrip("0") if m.microsecond else "")


expected = {name: column.to_pylist() for name, column in zip(arrow.column_names, arrow.columns) if name != "list"}
for name in ("at_s", "at_ms", "at_us"):
    expected[name] = [stamp(m) for m in expected[name]]
expected["at_ns"] = [stamp(m) for m in moments]
expected["day"] = [d and d.isoformat() for d in expected["day"]]
expected["money"] = [m if m is None else float(m) for m in expected["money"]]
expected["big"] = [b if b is None else str(b) for b in expected["big"]]
for name in ("bool", "bool_gaps"):
    expected[name] = [b if b is None else int(b) for b in expected[name]]
expected["f32"] = [float(np.float32(x)) for x in floats]

arrays = {
    "f2_as_f4": np.array(floats, "f4"),
    "f8": np.array(floats, ">f8"),
    "i8": np.array(ints, "<i8"),
    "u2": np.array([x + 200 for x in ints], ">u2"),
    "b": np.array([i % 3 == 0 for i in range(ROWS)]),
    "words": np.array(words),
    "matrix": np.asfortranarray(rng.normal(size=(ROWS, 3)).astype("f4")),
}
np.savez(OUT / "stored.npz", **arrays)
np.savez_compressed(OUT / "deflated.npz", **arrays)
np.save(OUT / "matrix.npy", arrays["matrix"])
numpy = {name: array.tolist() for name, array in arrays.items()}
numpy["b"] = [int(b) for b in numpy["b"]]
# Padding and an empty string look the same in NumPy.
numpy["words"] = [w or None for w in words]

frame = pd.DataFrame({"f64_gaps": gaps(floats), "i64": ints, "text": words})
frame.to_csv(OUT / "pandas.csv", index=False)
frame.to_csv(OUT / "pandas.csv.gz", index=False, sep=";", decimal=",", lineterminator="\r\n", encoding="utf-8-sig")
frame.to_json(OUT / "pandas.jsonl", orient="records", lines=True, double_precision=15)
of_csv = {"f64_gaps": gaps(floats), "i64": ints, "text": [w or None for w in words]}
of_json = {
    "f64_gaps": [json.loads(line)["f64_gaps"] for line in (OUT / "pandas.jsonl").read_text().splitlines()],
    "i64": ints,
    "text": words,
}

sets = {"arrow": expected, "int96": {"at_us": expected["at_us"]}, "numpy": numpy, "csv": of_csv, "json": of_json}
sets["matrix"] = {"matrix": numpy["matrix"]}
files = {f"{name}.parquet": "arrow" for name in forms}
files |= {"int96.parquet": "int96", "stored.npz": "numpy", "deflated.npz": "numpy", "matrix.npy": "matrix"}
files |= {"pandas.csv": "csv", "pandas.csv.gz": "csv", "pandas.jsonl": "json"}


def written(value):
    """Numbers as text: not every reader of JSON rounds right."""
    if isinstance(value, dict):
        return {name: written(v) for name, v in value.items()}
    if isinstance(value, list):
        return [written(v) for v in value]
    return f"={value!r}" if isinstance(value, (int, float)) else value


(HERE / "tables.json").write_text(json.dumps({"files": files, "sets": written(sets)}) + "\n")
