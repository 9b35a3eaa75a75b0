//! What completion wants to know of files.

use crate::runtime::data::Places;
use crate::runtime::pretrained;
use crate::tools::ide::complete::{Folders, Listed};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A folder with more names is shown in part: nobody reads them all.
const MOST: usize = 500;

/// The folders in which the paths of a spec are looked up.
pub struct Disk {
    pub places: Places,
}

impl Disk {
    fn candidates(&self, path: &str) -> impl Iterator<Item = PathBuf> {
        [&self.places.spec, &self.places.data]
            .into_iter()
            .flatten()
            .map(|place| place.join(path))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

impl Folders for Disk {
    fn list(&self, folder: &str) -> Vec<Listed> {
        let mut found = BTreeMap::new();
        for folder in self.candidates(folder) {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries.take(MOST) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if !name.starts_with('.') {
                    // What a link leads to counts.
                    found.entry(name).or_insert_with(|| entry.path().is_dir());
                }
            }
        }
        found.into_iter().map(|(name, is_folder)| Listed { name, is_folder }).collect()
    }

    fn tensors(&self, path: &str) -> Vec<String> {
        let header = pretrained::header(&self.places, path).ok().flatten();
        header.into_iter().flatten().map(|tensor| tensor.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_are_listed_once() {
        let (spec, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(data.path().join("mnist")).unwrap();
        for path in [spec.path().join("a.csv"), data.path().join("a.csv"), spec.path().join(".hidden")] {
            fs::write(path, "").unwrap();
        }
        let places = Places { spec: Some(spec.path().into()), data: Some(data.path().into()) };
        let named = |name: &str, is_folder| Listed { name: name.into(), is_folder };
        assert_eq!(Disk { places }.list(""), [named("a.csv", false), named("mnist", true)]);
    }

    #[test]
    fn tensors_are_those_of_the_header() {
        let folder = tempfile::tempdir().unwrap();
        let tensor = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        let header = format!(r#"{{"__metadata__":{{}},"h.0.weight":{tensor},"b":{tensor}}}"#).into_bytes();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
        fs::write(folder.path().join("w.safetensors"), bytes).unwrap();
        fs::write(folder.path().join("bad"), [255; 20]).unwrap();
        let disk = Disk { places: Places { spec: Some(folder.path().into()), data: None } };
        assert_eq!(disk.tensors("w.safetensors"), ["b", "h.0.weight"]);
        assert_eq!(disk.tensors("bad"), [] as [&str; 0]);
        assert_eq!(disk.tensors("absent"), [] as [&str; 0]);
    }
}
