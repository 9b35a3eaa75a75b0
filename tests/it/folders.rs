//! Sources of images, boxes and plain text: what they make of files, and every source against every defect.

use crate::bad_input::answered;
use crate::support::stderr;
use crate::tables::train;
use crate::texts::{folder, png};
use mlc::base::Sources;
use mlc::diag::human;
use mlc::runtime::data::{self, DiskProbe, Places, Values};
use mlc::sema::{self, Settings};
use mlc::syntax;
use std::path::Path;

/// A spec that feeds `x` of a source to a net, with a loss that needs no label.
fn spec(source: &str, columns: &str, x: &str, ty: &str) -> String {
    format!(
        "mlspec 1\n\ndata d {{\n  source = {source}\n  {columns}\n  batch = 2\n}}\n\nmodel M {{\n  input x: {ty}\n  output y: \
         f32[B] = x |> Flatten |> Dense(1) as fc |> Squeeze\n}}\n\ntrain {{\n  feed {{ x = {x} }}\n  loss = \
         MeanSquaredError(M.y, 1)\n  optimizer = SGD(lr=0.01)\n  epochs = 1\n}}\n"
    )
}

const VOC: &str = "voc(\"v\", classes=[cat, dog], skip=[tree], boxes=2)";

/// An annotation of an image of 10 x 8 (width x height) with boxes.
fn annotation(image: &str, objects: &[(&str, [i32; 4])]) -> String {
    let object = |(name, [left, top, right, bottom]): &(&str, [i32; 4])| {
        format!(
            "  <object>\n    <name>{name}</name>\n    <part><bndbox><xmin>1</xmin></bndbox></part>\n    <bndbox>\
             <xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>\n  </object>\n"
        )
    };
    let objects: String = objects.iter().map(object).collect();
    format!(
        "<annotation>\n  <filename>{image}</filename>\n  <size><width>10</width><height>8</height><depth>1</depth></size>\n\
         {objects}</annotation>\n"
    )
}

/// A folder of two images with boxes, and `more` files, which may take the place of those.
fn voc(more: &[(&str, &[u8])]) -> tempfile::TempDir {
    let image = png(10, 8);
    let (one, two) = (
        annotation("1.png", &[("dog", [1, 1, 10, 8]), ("tree", [2, 2, 3, 3]), ("cat", [3, 5, 5, 8])]),
        annotation("2.png", &[("cat", [6, 1, 6, 4])]),
    );
    let files: [(&str, &[u8]); 4] = [
        ("v/Annotations/a.xml", one.as_bytes()),
        ("v/Annotations/b.xml", two.as_bytes()),
        ("v/JPEGImages/1.png", &image),
        ("v/JPEGImages/2.png", &image),
    ];
    folder(&[&files, more].concat())
}

/// The rows of all columns of a spec's data: training and test.
fn loaded(folder: &Path, text: &str) -> (data::Dataset, Vec<data::Array>) {
    let mut sources = Sources::new();
    let file = sources.add("t.mlspec", None, text);
    let (ast, _) = syntax::parse(&sources, file);
    let places = Places { spec: Some(folder.to_path_buf()), data: None };
    let probe = DiskProbe { places: places.clone() };
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    let job = job.unwrap_or_else(|| panic!("{}", human(&sources, &found.sorted())));
    let loaded = data::load(&job.data[0], &places).unwrap_or_else(|d| panic!("{d:?}"));
    let rows = loaded.train.store.some(&loaded.train.rows);
    (loaded, rows)
}

#[test]
fn boxes_are_shares_of_their_image() {
    let text = spec(VOC, "", "d.boxes  z = d.labels[0] * d.mask[0]", "box(xyxy)[B, 2, 4]");
    let text = text.replace("M.y, 1", "M.y, z");
    let (found, rows) = loaded(voc(&[]).path(), &text);
    let of = |name: &str| &rows.iter().find(|array| array.name == name).expect("it is fed").values;
    assert_eq!(found.train.len(), 2);
    // The first pixel of ten is the share from 0 to 0.1.
    let want = [[0.0, 0.0, 1.0, 1.0], [0.2, 0.5, 0.5, 1.0], [0.5, 0.0, 0.6, 0.5], [0.0; 4]].concat();
    assert_eq!(of("boxes"), &Values::F32(want));
    assert_eq!(of("labels"), &Values::I32(vec![1, 0, 0, -1]));
    assert_eq!(of("mask"), &Values::F32(vec![1.0, 1.0, 1.0, 0.0]));
}

#[test]
fn lists_of_images_are_parts() {
    let files = voc(&[("v/ImageSets/Main/train.txt", b"b\n"), ("v/ImageSets/Main/test.txt", b"a 1\n")]);
    let text = |source: &str| spec(source, "", "d.boxes", "box(xyxy)[B, 2, 4]");
    let (found, _) = loaded(files.path(), &text(VOC));
    assert_eq!((found.train.len(), found.test.len()), (1, 1));
    let (found, _) = loaded(files.path(), &text(&VOC.replace("boxes=2", "boxes=2, set=\"test\"")));
    assert_eq!((found.train.len(), found.test.len()), (1, 0));
    let out = train(files.path(), &text(VOC), &[]);
    assert!(out.status.success(), "{}", stderr(&out));
}

#[test]
fn boxes_are_cut_where_the_spec_says_so() {
    let wide = annotation("1.png", &[("cat", [-3, 0, 99, 4])]);
    let files = voc(&[("v/Annotations/a.xml", wide.as_bytes())]);
    let text = spec(&VOC.replace("boxes=2", "boxes=1, clip=true"), "", "d.boxes", "box(xyxy)[B, 1, 4]");
    let (_, rows) = loaded(files.path(), &text);
    assert_eq!(rows[0].values, Values::F32(vec![0.0, 0.0, 1.0, 0.5, 0.5, 0.0, 0.6, 0.5]));
}

#[test]
fn images_with_boxes_stay_in_their_place() {
    let files = voc(&[]);
    let text = spec(VOC, "augment { image = image |> flip }", "d.image / 255", "f32[B, 8, 10, 1]");
    answered(files.path(), &text, "column::augment", &["`flip` moves", "boxes would stay"]).unwrap();
    let text = text.replace("|> flip", "|> jitter");
    let out = train(files.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
}

#[test]
fn folders_of_boxes_that_are_none() {
    let one = |objects: &[(&str, [i32; 4])]| annotation("1.png", objects).into_bytes();
    let without = |part: &str| annotation("1.png", &[("cat", [1, 1, 2, 2])]).replace(part, "").into_bytes();
    let size = |to: &str| annotation("1.png", &[]).replace("<width>10</width>", to).into_bytes();
    let xml = "v/Annotations/a.xml";
    type Case<'a> = (&'a str, &'a str, Vec<u8>, &'a str, &'a [&'a str]);
    let cases: Vec<Case> = vec![
        ("empty", xml, Vec::new(), "data::xml", &["a.xml:1:1: the file has no element"]),
        ("cut off", xml, one(&[])[..44].to_vec(), "data::xml", &["a.xml:3:", "the file ends inside"]),
        ("not UTF-8", xml, b"<a>\xe9</a>".to_vec(), "data::xml", &["a.xml:1:4: the byte 0xe9"]),
        ("another format", xml, b"<html></html>".to_vec(), "data::voc", &["`<html>` has no `<filename>`"]),
        (
            "left of it",
            xml,
            one(&[("cat", [0, 1, 2, 2])]),
            "data::voc",
            &["a.xml:4: the box 0, 1, 2, 2", "1 to 10"],
        ),
        (
            "below it",
            xml,
            one(&[("cat", [1, 1, 2, 9])]),
            "data::voc",
            &["the box 1, 1, 2, 9", "1 to 8", "clip=true"],
        ),
        ("inside out", xml, one(&[("cat", [5, 1, 2, 2])]), "data::voc", &["has no inside"]),
        ("no number", xml, without(">1<"), "data::voc", &["a.xml:"]),
        (
            "unknown class",
            xml,
            one(&[("cow", [1, 1, 2, 2])]),
            "data::voc",
            &["a.xml:4: the class `cow`", "skip=[\"cow\"]"],
        ),
        ("no name", xml, without("<name>cat</name>"), "data::voc", &["`<object>` has no `<name>`"]),
        (
            "too many",
            xml,
            one(&[("cat", [1, 1, 2, 2]); 3]),
            "data::voc",
            &["has 3 boxes", "room for 2", "boxes=3"],
        ),
        ("no image", xml, annotation("9.png", &[]).into(), "data::voc", &["JPEGImages/9.png is not there"]),
        (
            "image elsewhere",
            xml,
            annotation("../Annotations/b.xml", &[]).into(),
            "data::voc",
            &["is not there"],
        ),
        (
            "another size",
            xml,
            size("<width>20</width>"),
            "data::voc",
            &["a.xml: says 8 x 20, but 1.png is 8 x 10"],
        ),
        (
            "no XML",
            "v/ImageSets/Main/train.txt",
            b"a\nc\n".to_vec(),
            "data::voc",
            &["Annotations/c.xml is not there"],
        ),
        ("path", "v/ImageSets/Main/train.txt", b"../a\n".to_vec(), "data::voc", &["train.txt: `../a`"]),
        (
            "empty list",
            "v/ImageSets/Main/train.txt",
            b"\n".to_vec(),
            "data::voc",
            &["train.txt names no image"],
        ),
        ("no image file", "v/JPEGImages/1.png", b"P5 4 4".to_vec(), "data::image", &["1.png"]),
        (
            "sizes",
            "v/JPEGImages/2.png",
            png(9, 8),
            "data::image",
            &["2.png is 8 x 9", "voc(…, resize=[8, 10])"],
        ),
    ];
    let text = spec(VOC, "", "d.boxes", "box(xyxy)[B, 2, 4]");
    let wrong = cases.into_iter().filter_map(|(defect, name, bytes, code, says)| {
        let files = voc(&[(name, &bytes)]);
        answered(files.path(), &text, code, says).err().map(|why| format!("{defect}: {why}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A PNG file whose header claims another size.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(4, 4);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    bytes
}

/// A file and its bytes.
type File<'a> = (&'a str, Vec<u8>);

struct Case<'a> {
    defect: &'a str,
    source: &'a str,
    files: Vec<File<'a>>,
    code: &'a str,
    says: &'a [&'a str],
}

fn case<'a>(
    source: &'a str,
    defect: &'a str,
    files: Vec<File<'a>>,
    code: &'a str,
    says: &'a [&'a str],
) -> Case<'a> {
    Case { defect, source, files, code, says }
}

fn check_all(cases: Vec<Case>, columns: &str, x: &str, ty: &str) {
    let wrong = cases.into_iter().filter_map(|Case { defect, source, files, code, says }| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let text = spec(source, columns, x, ty);
        answered(folder(&files).path(), &text, code, says)
            .err()
            .map(|why| format!("{source}, {defect}: {why}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} cases\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn plain_texts_that_are_none() {
    let packed = crate::tables::gzip("a b\nc d\n".repeat(2000).as_bytes());
    let half = packed[..packed.len() / 2].to_vec();
    let (text, lines) = ("text(\"t.txt\")", "lines(\"t.txt\")");
    let mut cases = Vec::new();
    for source in [text, lines] {
        cases.extend([
            case(source, "empty", vec![("t.txt", Vec::new())], "data::empty", &["t.txt: the file"]),
            case(
                source,
                "not UTF-8",
                vec![("t.txt", b"a b\nc \xe9 d\n".to_vec())],
                "data::encoding",
                &["t.txt:2:3", "0xe9"],
            ),
            case(source, "a folder", vec![("t.txt/a", b"a".to_vec())], "data::unreadable", &["t.txt"]),
            case(source, "missing", vec![], "data::missing_file", &["`t.txt` is not there"]),
        ]);
    }
    for source in ["text(\"t.txt.gz\")", "lines(\"t.txt.gz\")"] {
        cases.extend([
            case(source, "cut off", vec![("t.txt.gz", half.clone())], "data::gzip", &["t.txt.gz"]),
            case(source, "no gzip", vec![("t.txt.gz", b"a b\nc d\n".to_vec())], "data::gzip", &["t.txt.gz"]),
        ]);
    }
    let two = "lines(n=\"n.txt\", p=\"t.txt\")";
    let good = || ("n.txt", b"a b\n".to_vec());
    cases.extend([
        case(two, "one empty", vec![good(), ("t.txt", Vec::new())], "data::empty", &["t.txt"]),
        case(two, "one missing", vec![good()], "data::missing_file", &["`t.txt` is not there"]),
        case(
            two,
            "one not UTF-8",
            vec![good(), ("t.txt", b"\xff\n".to_vec())],
            "data::encoding",
            &["t.txt:1:1"],
        ),
    ]);
    check_all(cases, "x = text |> words |> pad(3)", "d.x / 9", "f32[B, 3]");
}

#[test]
fn parallel_texts_that_are_none() {
    let source = "parallel(text=\"a.en\", de=\"a.de\")";
    let good = || ("a.en", b"a b\nc\n".to_vec());
    let cases = vec![
        case(source, "empty", vec![good(), ("a.de", Vec::new())], "data::empty", &["a.de"]),
        case(source, "missing", vec![good()], "data::missing_file", &["`a.de` is not there"]),
        case(
            source,
            "fewer",
            vec![good(), ("a.de", b"x\n".to_vec())],
            "data::lines",
            &["a.en has 2 lines", "a.de has 1 line"],
        ),
        case(
            source,
            "not UTF-8",
            vec![good(), ("a.de", b"x\n\xc3\n".to_vec())],
            "data::encoding",
            &["a.de:2:1", "0xc3"],
        ),
        case(source, "a folder", vec![good(), ("a.de/x", b"x".to_vec())], "data::unreadable", &["a.de"]),
    ];
    check_all(
        cases,
        "x = text |> words |> pad(3)\n  z = de |> words |> pad(3)",
        "(d.x + d.z) / 9",
        "f32[B, 3]",
    );
}

#[test]
fn folders_of_images_that_are_none() {
    let source = "images(\"p\")";
    let good = || ("p/cat/1.png", png(4, 4));
    let with = |bytes: Vec<u8>| vec![good(), ("p/dog/1.png", bytes)];
    let jpeg = [b"\xff\xd8\xff\xe0".to_vec(), vec![0; 40]].concat();
    let cases = vec![
        case(source, "no folders", vec![("p/1.png", png(4, 4))], "data::image", &["`p` has no folders"]),
        case(
            source,
            "no images",
            vec![("p/cat/1.txt", b"a".to_vec())],
            "data::image",
            &["`p` has no folders"],
        ),
        case(
            source,
            "a file",
            vec![("p", b"a".to_vec())],
            "data::unreadable",
            &["cannot list", "folder of folders"],
        ),
        case(source, "missing", vec![], "data::missing_file", &["`p` is not there"]),
        case(source, "empty", with(Vec::new()), "data::image", &["dog/1.png"]),
        case(source, "cut off", with(png(4, 4)[..50].to_vec()), "data::image", &["dog/1.png"]),
        case(
            source,
            "another format",
            with(b"GIF89a".to_vec()),
            "data::image",
            &["dog/1.png: this is neither PNG"],
        ),
        case(source, "broken JPEG", with(jpeg), "data::image", &["dog/1.png"]),
        case(
            source,
            "a folder",
            vec![good(), ("p/dog/1.png/a", b"a".to_vec())],
            "data::image",
            &["dog/1.png"],
        ),
        case(source, "no pixels", with(claims(0, 4)), "data::image", &["dog/1.png"]),
        case(
            source,
            "a bomb",
            with(claims(60_000, 60_000)),
            "data::image",
            &["dog/1.png", "60000 x 60000 pixels"],
        ),
        case(
            "images(\"p\", resize=[4, 4])",
            "a bomb made small",
            with(claims(60_000, 60_000)),
            "data::image",
            &["60000"],
        ),
        case(
            source,
            "other sizes",
            with(png(5, 4)),
            "data::image",
            &["is 4 x 4, but 1.png is 4 x 5", "resize=[4, 4]"],
        ),
    ];
    check_all(cases, "image = image / 255", "d.image", "f32[B, 4, 4, 1]");
}

#[test]
fn batches_of_cifar_that_are_none() {
    let record = |label: u8| [&[label][..], &[7; 3072]].concat();
    let good = || ("c/data_batch_1.bin", [record(0), record(1)].concat());
    let source = "cifar(\"c\")";
    let coarse = [&[20, 3][..], &[7; 3072]].concat();
    let cases = vec![
        case(source, "no batches", vec![("c/a.bin", record(0))], "data::cifar", &["`c` has neither"]),
        case(source, "a file", vec![("c", record(0))], "data::unreadable", &["cannot list"]),
        case(source, "missing", vec![], "data::missing_file", &["`c` is not there"]),
        case(source, "empty", vec![("c/data_batch_1.bin", Vec::new())], "data::empty", &["data_batch_1.bin"]),
        case(
            source,
            "cut off",
            vec![("c/data_batch_1.bin", record(0)[..99].to_vec())],
            "data::cifar",
            &["99 bytes"],
        ),
        case(
            source,
            "label",
            vec![("c/data_batch_1.bin", record(10))],
            "data::cifar",
            &["image 1 has the label 10"],
        ),
        case(
            source,
            "test cut off",
            vec![good(), ("c/test_batch.bin", vec![1; 9])],
            "data::cifar",
            &["test_batch.bin"],
        ),
        case(source, "coarse label", vec![("c/train.bin", coarse)], "data::cifar", &["the coarse 20"]),
    ];
    check_all(cases, "image = image / 255", "d.image", "f32[B, 32, 32, 3]");
}

/// A spec of two classes of images whose rows are mixed.
fn mixing(steps: &str, loss: &str) -> String {
    format!(
        "mlspec 1\n\ndata d {{\n  source = images(\"p\")\n  image = image / 255\n  augment {{ image = image |> {steps} }}\n  batch = \
         2\n}}\n\nmodel M {{\n  input image: f32[B, 4, 4, 1]\n  output y: f32[B, 2] = image |> Flatten |> Dense(2) as fc\n}}\n\n\
         train {{\n  feed {{ image = d.image  label = d.label }}\n  loss = {loss}\n  optimizer = SGD(lr=0.1)\n  metrics = \
         [accuracy]\n  epochs = 3\n}}\n"
    )
}

#[test]
fn rows_are_mixed_with_their_labels() {
    let (dark, light) = (png(4, 4), png(4, 4));
    let files = folder(&[("p/cat/1.png", &dark), ("p/cat/2.png", &light), ("p/dog/1.png", &dark)]);
    let path = files.path();
    let hash = |text: &str| {
        let out = train(path, text, &[]);
        assert!(out.status.success(), "{}", stderr(&out));
        let run = std::fs::read_to_string(path.join("run/run.yaml")).expect("the run is there");
        assert!(run.contains("- cat"), "classes keep their names: {run}");
        std::fs::remove_dir_all(path.join("run")).expect("the run is there");
        run.lines().find(|l| l.starts_with("weights_hash")).expect("weights have a hash").to_string()
    };
    let loss = "CrossEntropy(M.y, label)";
    let mixed = hash(&mixing("flip |> mixup(0.5, label)", loss));
    assert_eq!(mixed, hash(&mixing("flip |> mixup(0.5, label)", loss)));
    assert_ne!(mixed, hash(&mixing("flip", loss)));
    let (found, rows) = loaded(path, &mixing("mixup(0.5, label)", loss));
    let label = rows.iter().find(|array| array.name == "label").expect("it is fed");
    assert_eq!(label.values, Values::F32(vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0]));
    assert_eq!(found.class_names("label"), Some(vec!["cat".to_string(), "dog".to_string()]));
    assert_eq!(found.balance("label"), Some(vec![0.75, 1.5]), "rows are counted by class");
}

#[test]
fn what_cannot_be_mixed_is_named() {
    let image = png(4, 4);
    let files = folder(&[("p/cat/1.png", &image), ("p/dog/1.png", &image)]);
    let loss = "CrossEntropy(M.y, label)";
    let cases = [
        ("mixup(0.5, lable)", loss, "column::augment", "did you mean `label`?"),
        ("mixup(0.5, image)", loss, "column::augment", "is no label of itself"),
        ("mixup(0.5, label) |> mixup(1, label)", loss, "column::augment", "with one other row"),
        ("mixup(0, label)", loss, "call::range", "alpha"),
        ("mixup(0.5, label)", "BinaryCrossEntropy(M.y[:, 0], label)", "shape::argument", "[B, 2]"),
    ];
    for (steps, loss, code, says) in cases {
        answered(files.path(), &mixing(steps, loss), code, &[says])
            .unwrap_or_else(|why| panic!("{steps}: {why}"));
    }
}

#[test]
fn images_of_all_sources_come_to_a_size() {
    let record = [&[1][..], &[10; 1024], &[20; 1024], &[30; 1024]].concat();
    let header = |sizes: &[u32]| {
        let bytes = sizes.iter().flat_map(|n| n.to_be_bytes());
        [0, 0, 8, sizes.len() as u8].into_iter().chain(bytes).collect::<Vec<u8>>()
    };
    let ramp: Vec<u8> = (0..35).map(|i| (i * 37 % 256) as u8).collect();
    let files = folder(&[
        ("c/data_batch_1.bin", &record),
        ("m/images", &[header(&[1, 5, 7]), ramp].concat()),
        ("m/labels", &[header(&[1]), vec![0]].concat()),
    ]);
    let image = |source: &str, ty: &str| {
        let (_, mut rows) = loaded(files.path(), &spec(source, "image = image / 255", "d.image", ty));
        rows.remove(0).values
    };
    assert_eq!(
        image("cifar(\"c\", resize=[1, 2])", "f32[B, 1, 2, 3]"),
        Values::U8(vec![10, 20, 30, 10, 20, 30])
    );
    // The bytes of Pillow.
    let pillow = vec![20, 78, 146, 204, 25, 83, 151, 209, 30, 88, 156, 214];
    assert_eq!(image("idx(\"m\", resize=[3, 4])", "f32[B, 3, 4]"), Values::U8(pillow));
}
