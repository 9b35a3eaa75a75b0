//! Boxes around things in images, as Pascal VOC writes them: `voc("bccd", classes=[RBC, WBC], resize=[120, 160])`.
//!
//! A folder has `Annotations/NAME.xml`, one for each image of `JPEGImages`, and may have lists of names in
//! `ImageSets/Main` (Everingham and others, 2010). Columns `image`, `boxes: f32[n, 4]` (left, top, right, bottom, as
//! shares of the image's width and height), `labels: i32[n]`, `mask: f32[n]`: 1 for a box, 0 for the rest of `n`, where
//! boxes are 0 and labels -1.

use super::Checked;
use super::files::{FileInfo, Places, problem, short_name};
use super::idx::Pairs;
use super::images::{Decoded, decode, shape_of};
use super::table::{Cells, Origin, RawColumn, Table};
use super::xml::{self, Element};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::sema::job::{SourcePlan, VocPlan};
use crate::sema::{SchemaColumn, SourceSchema};
use std::path::{Path, PathBuf};

/// The label behind the last box.
const NO_CLASS: i32 = -1;

/// One thing, in pixels that count from 1 and belong to the box at both ends.
#[derive(Clone, Debug, PartialEq)]
struct Thing {
    /// None of a class that the spec skips.
    class: Option<usize>,
    /// Left, top, right, bottom.
    corners: [f64; 4],
    line: usize,
}

/// What one file says.
struct Annotation {
    file: PathBuf,
    image: PathBuf,
    /// Height and width, where the file says them.
    size: Option<[usize; 2]>,
    things: Vec<Thing>,
}

/// A set of images by name, read with the settings of the spec.
struct Reader<'a> {
    folder: PathBuf,
    plan: &'a VocPlan,
    source: &'a SourcePlan,
}

/// Reads the training images, and those of `test.txt` if no set is named.
pub fn load(plan: &VocPlan, places: &Places, source: &SourcePlan) -> Checked<Pairs<Table>> {
    let reader = Reader { folder: places.find(&plan.path, source)?, plan, source };
    let names = reader.names()?;
    let test = names.test.map(|names| reader.table(&names)).transpose()?;
    Ok(Pairs { train: reader.table(&names.train)?, test })
}

/// What the spec, the lists and the first image tell.
pub fn glance(plan: &VocPlan, places: &Places, source: &SourcePlan) -> Checked<SourceSchema> {
    let reader = Reader { folder: places.find(&plan.path, source)?, plan, source };
    let names = reader.names()?.train;
    let [height, width, channels] = shape_of(&reader.annotation(&names[0])?.0.image, source)?;
    let [height, width] = plan.resize.unwrap_or([height, width]);
    let column = |name: &str, dtype, shape: Vec<usize>, classes| SchemaColumn {
        name: name.to_string(),
        dtype: Some(dtype),
        shape,
        classes,
        sample: None,
    };
    let columns = vec![
        column("image", DType::U8, vec![height, width, channels], None),
        column("boxes", DType::F32, vec![plan.boxes, 4], None),
        column("labels", DType::I32, vec![plan.boxes], Some(plan.classes.len())),
        column("mask", DType::F32, vec![plan.boxes], None),
    ];
    Ok(SourceSchema { columns, rows: Some(names.len()), hint: None })
}

impl Reader<'_> {
    fn wrong(&self, message: String, help: impl Into<String>) -> Box<Diagnostic> {
        Box::new(problem("data::voc", message, self.source).help(help))
    }

    /// Names of images: those of the set, else `trainval.txt` (or `train.txt` and `val.txt`) with `test.txt` apart,
    /// else all that have an annotation.
    fn names(&self) -> Checked<Pairs<Vec<String>>> {
        if let Some(set) = &self.plan.set {
            let Some(train) = self.list(set)? else {
                let message = format!("`{}` has no list ImageSets/Main/{set}.txt", self.plan.path);
                return Err(self.wrong(message, "write the name of a list that is there, or leave `set` out"));
            };
            return Ok(Pairs { train, test: None });
        }
        let test = self.list("test")?;
        let train = match self.list("trainval")? {
            Some(both) => Some(both),
            None => match (self.list("train")?, self.list("val")?) {
                (Some(train), Some(val)) => Some([train, val].concat()),
                (train, val) => train.or(val),
            },
        };
        let train = match train {
            Some(train) => train,
            None => self.annotated()?,
        };
        Ok(Pairs { train, test })
    }

    /// The first word of each line of a list; none if it is not there.
    fn list(&self, set: &str) -> Checked<Option<Vec<String>>> {
        let file = self.folder.join("ImageSets/Main").join(format!("{set}.txt"));
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&file).map_err(|e| {
            self.wrong(
                format!("{set}.txt: {e}"),
                "a list is UTF-8 text with the name of an image in each line",
            )
        })?;
        let names: Vec<String> =
            text.lines().filter_map(|line| line.split_whitespace().next()).map(String::from).collect();
        if let Some(name) = names.iter().find(|name| !is_plain(name)) {
            let message = format!("{set}.txt: `{name}` is no name of an image");
            return Err(self.wrong(message, "a list has names without folders and endings: `000012`"));
        }
        match names.is_empty() {
            true => {
                Err(self.wrong(format!("{set}.txt names no image"), "fill the list, or take the file away"))
            }
            false => Ok(Some(names)),
        }
    }

    fn annotated(&self) -> Checked<Vec<String>> {
        let folder = self.folder.join("Annotations");
        let help = "`voc` takes a folder with Annotations/*.xml and JPEGImages/*.jpg";
        let entries = std::fs::read_dir(&folder).map_err(|e| {
            let message = format!("cannot list `{}`: {e}", folder.display());
            Box::new(problem("data::unreadable", message, self.source).help(help))
        })?;
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "xml"));
        let mut names: Vec<String> =
            files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
        names.sort();
        match names.is_empty() {
            true => Err(self.wrong(format!("`{}/Annotations` has no XML files", self.plan.path), help)),
            false => Ok(names),
        }
    }

    fn table(&self, names: &[String]) -> Checked<Table> {
        let read = names.iter().map(|name| self.annotation(name)).collect::<Checked<Vec<_>>>()?;
        let (annotations, mut files): (Vec<Annotation>, Vec<FileInfo>) = read.into_iter().unzip();
        let images: Vec<PathBuf> = annotations.iter().map(|a| a.image.clone()).collect();
        let Decoded { image, sizes, files: decoded } = decode(&images, self.plan.resize, "voc", self.source)?;
        files.extend(decoded);
        let n = self.plan.boxes;
        let (mut boxes, mut labels, mut mask) = (Vec::new(), Vec::new(), Vec::new());
        for (annotation, size) in annotations.iter().zip(sizes) {
            let kept = self.shares(annotation, size)?;
            let rest = n - kept.len();
            labels.extend(kept.iter().map(|(class, _)| *class as i32));
            boxes.extend(kept.iter().flat_map(|(_, corners)| corners));
            mask.extend(std::iter::repeat_n(1.0, kept.len()));
            boxes.extend(std::iter::repeat_n(0.0, 4 * rest));
            labels.extend(std::iter::repeat_n(NO_CLASS, rest));
            mask.extend(std::iter::repeat_n(0.0, rest));
        }
        let column = |name: &str, cells| RawColumn { name: name.to_string(), cells };
        Ok(Table {
            name: self.plan.path.clone(),
            rows: names.len(),
            columns: vec![
                column("image", image),
                column("boxes", Cells::F32 { row: vec![n, 4], data: boxes }),
                column("labels", Cells::I32 { row: vec![n], data: labels }),
                column("mask", Cells::F32 { row: vec![n], data: mask }),
            ],
            files,
            text: String::new(),
            origin: Origin::Rows(0),
        })
    }

    /// The things of an image by class, their corners as shares of its size.
    fn shares(
        &self,
        annotation: &Annotation,
        [height, width]: [usize; 2],
    ) -> Checked<Vec<(usize, [f32; 4])>> {
        let name = short_name(&annotation.file);
        if let Some([h, w]) = annotation.size.filter(|size| *size != [height, width]) {
            let image = short_name(&annotation.image);
            let message =
                format!("{name}: says {h} x {w}, but {image} is {height} x {width} (height x width)");
            return Err(self.wrong(message, "boxes are in pixels: take the image that they were drawn on"));
        }
        let (wide, high) = (width as f64, height as f64);
        let mut kept = Vec::new();
        for Thing { class, corners, line } in &annotation.things {
            let Some(class) = class else { continue };
            let [left, top, right, bottom] = match self.plan.clip {
                true => clipped(*corners, wide, high),
                false => *corners,
            };
            let shown = || corners.map(|x| x.to_string()).join(", ");
            if !(left <= right && top <= bottom) {
                let message = format!("{name}:{line}: the box {} has no inside", shown());
                let help = "a box is xmin, ymin, xmax, ymax: correct the file, or take the object out";
                return Err(self.wrong(message, help));
            }
            if left < 1.0 || top < 1.0 || right > wide || bottom > high {
                let message = format!(
                    "{name}:{line}: the box {} is not inside the image, whose pixels are 1 to {width} and 1 to {height}",
                    shown()
                );
                let help = "correct the file, or write `clip=true`, which cuts boxes at the borders";
                return Err(self.wrong(message, help));
            }
            let share = [(left - 1.0) / wide, (top - 1.0) / high, right / wide, bottom / high];
            kept.push((*class, share.map(|x| x as f32)));
        }
        if kept.len() > self.plan.boxes {
            let message =
                format!("{name}: has {} boxes, and there is room for {}", kept.len(), self.plan.boxes);
            return Err(self.wrong(message, format!("write `boxes={}` or more", kept.len())));
        }
        Ok(kept)
    }

    fn annotation(&self, name: &str) -> Checked<(Annotation, FileInfo)> {
        let file = self.folder.join("Annotations").join(format!("{name}.xml"));
        let bytes = std::fs::read(&file).map_err(|e| {
            let why = match e.kind() {
                std::io::ErrorKind::NotFound => "is not there".to_string(),
                _ => format!("cannot be read: {e}"),
            };
            self.wrong(format!("Annotations/{name}.xml {why}"), "every image of a list has an annotation")
        })?;
        let root = xml::parse(&bytes).map_err(|broken| {
            let message = format!("{}:{broken}", short_name(&file));
            Box::new(problem("data::xml", message, self.source).help("write the file again, or take it out"))
        })?;
        let info = FileInfo::of(&file, &bytes);
        let image = self.image(&file, &root)?;
        let size = self.size(&file, &root)?;
        let things = root.all("object").map(|object| self.thing(&file, object)).collect::<Checked<_>>()?;
        Ok((Annotation { file, image, size, things }, info))
    }

    /// The image that an annotation is of.
    fn image(&self, file: &Path, root: &Element) -> Checked<PathBuf> {
        let name = self.text(file, root, "filename")?;
        let image = self.folder.join("JPEGImages").join(name);
        if is_plain(name) && image.is_file() {
            return Ok(image);
        }
        let message = format!("{}: its image JPEGImages/{name} is not there", short_name(file));
        Err(self.wrong(message, "put the image there, or correct `<filename>`"))
    }

    /// Height and width; none where nobody filled them in.
    fn size(&self, file: &Path, root: &Element) -> Checked<Option<[usize; 2]>> {
        let Some(size) = root.child("size") else { return Ok(None) };
        let side = |name| self.number(file, size, name).map(|x| x as usize);
        let [height, width] = [side("height")?, side("width")?];
        Ok(Some([height, width]).filter(|_| height > 0 && width > 0))
    }

    fn thing(&self, file: &Path, object: &Element) -> Checked<Thing> {
        let name = self.text(file, object, "name")?;
        let class = self.plan.classes.iter().position(|class| class == name);
        if class.is_none() && !self.plan.skip.iter().any(|class| class == name) {
            let known: Vec<String> = self.plan.classes.iter().map(|class| format!("`{class}`")).collect();
            let message = format!(
                "{}:{}: the class `{name}` is none of {}",
                short_name(file),
                object.line,
                known.join(", ")
            );
            return Err(
                self.wrong(message, format!("add it to `classes`, or leave it out by `skip=[\"{name}\"]`"))
            );
        }
        let corners = self.child(file, object, "bndbox")?;
        let number = |name| self.number(file, corners, name);
        let corners = [number("xmin")?, number("ymin")?, number("xmax")?, number("ymax")?];
        Ok(Thing { class, corners, line: object.line })
    }

    fn child<'e>(&self, file: &Path, of: &'e Element, name: &str) -> Checked<&'e Element> {
        of.child(name).ok_or_else(|| {
            let message = format!("{}:{}: `<{}>` has no `<{name}>`", short_name(file), of.line, of.name);
            self.wrong(
                message,
                "annotations are those of Pascal VOC: `<object>` with `<name>` and `<bndbox>`",
            )
        })
    }

    fn text<'e>(&self, file: &Path, of: &'e Element, name: &str) -> Checked<&'e str> {
        Ok(&self.child(file, of, name)?.text)
    }

    /// A finite number.
    fn number(&self, file: &Path, of: &Element, name: &str) -> Checked<f64> {
        let child = self.child(file, of, name)?;
        child.text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| {
            let message = format!("{}:{}: `{}` is no number", short_name(file), child.line, child.text);
            self.wrong(message, format!("correct `<{name}>`"))
        })
    }
}

/// Whether a name leads into no other folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != ".."
}

fn clipped([left, top, right, bottom]: [f64; 4], width: f64, height: f64) -> [f64; 4] {
    [left.max(1.0), top.max(1.0), right.min(width), bottom.min(height)]
}
