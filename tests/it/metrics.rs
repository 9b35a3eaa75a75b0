//! Metrics over whole splits: counts are exact whatever the batches.

use crate::support::{Run, spec};

#[test]
fn a_share_of_rows_is_the_nearest_number_to_the_fraction() {
    let mut seen = 0;
    for batch in ["7", "16", "64"] {
        let run = Run::train(&spec("iris"), &["--steps", "40", "--set", &format!("iris.batch={batch}")]);
        let yaml = std::fs::read_to_string(run.file("run.yaml")).unwrap();
        let yaml: serde_yaml::Value = serde_yaml::from_str(&yaml).unwrap();
        for record in run.records().iter().filter(|r| !r["metrics"]["accuracy"].is_null()) {
            let rows = yaml["rows"][record["split"].as_str().unwrap()].as_f64().unwrap();
            let accuracy = record["metrics"]["accuracy"].as_f64().unwrap();
            let right = (accuracy * rows).round();
            assert_eq!(accuracy, right / rows, "batches of {batch}: {record}");
            seen += u32::from(accuracy.fract() != 0.0);
        }
    }
    assert!(seen > 3, "only {seen} fractions");
}
