//! The rows of what is done to training rows alone, anew in each epoch: images moved, turned and coloured at random.

use super::table::{Settings, attr, count, sig};
use crate::ops::{Attr, AttrType, AttrValue, Default, Sig};

/// A change of training rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augment {
    /// Left and right change places in every other row.
    Flip,
    /// A square of the image after it gained `pad` zeros on all sides.
    Crop { size: usize, pad: usize },
    /// Around its middle by up to so many degrees, either way.
    Rotate { degrees: f64 },
    /// Each factor lies at most so far from 1.
    Jitter { brightness: f64, contrast: f64, saturation: f64 },
    /// A square of zeros.
    Cutout { size: usize },
    /// A mean with another training row, its share drawn from Beta(alpha, alpha).
    Mixup { alpha: f64 },
}

/// How far a factor of `jitter` may lie from 1.
const fn strength(name: &'static str, default: f64, doc: &'static str) -> Attr {
    attr(name, AttrType::Float { min: 0.0, max: 8.0, open: false }, Default::Float(default), doc)
}

/// A change of the library.
#[derive(Debug)]
pub struct AugmentDef {
    pub sig: Sig,
    make: fn(&Settings) -> Augment,
    /// The column that is changed besides.
    label: fn(&Settings) -> Option<String>,
}

impl AugmentDef {
    /// The step with these settings.
    pub fn step(&self, values: &[AttrValue]) -> Augment {
        (self.make)(&Settings::new(&self.sig, values))
    }

    /// The column that is changed besides: the label of what is mixed.
    pub fn label(&self, values: &[AttrValue]) -> Option<String> {
        (self.label)(&Settings::new(&self.sig, values))
    }
}

/// Every change.
pub static AUGMENTS: &[AugmentDef] = &[
    AugmentDef {
        sig: sig(
            "flip",
            &["RandomFlip", "RandomHorizontalFlip", "hflip"],
            "Left and right change places, in every other training row.",
            "flip",
            &[],
        ),
        make: |_| Augment::Flip,
        label: |_| None,
    },
    AugmentDef {
        sig: sig(
            "crop",
            &["RandomCrop", "random_crop"],
            "The image gains `pad` zeros on all sides, and a square of `size` is cut out of it anywhere. It is as large as \
             the image was, since validation sees images as they are.",
            "crop(32, pad=4)",
            &[
                count("size", 1, Default::Required, "Height and width of the image."),
                attr(
                    "pad",
                    AttrType::Int { min: 0, max: 1 << 12 },
                    Default::Int(4),
                    "Zeros on each side: by so much the image moves at most.",
                ),
            ],
        ),
        make: |s| Augment::Crop { size: s.count("size"), pad: s.count("pad") },
        label: |_| None,
    },
    AugmentDef {
        sig: sig(
            "rotate",
            &["RandomRotation", "random_rotation"],
            "The image turns around its middle by an angle from `-degrees` to `degrees`: bilinear, zeros where it had nothing.",
            "rotate(10)",
            &[attr(
                "degrees",
                AttrType::Float { min: 0.0, max: 180.0, open: false },
                Default::Required,
                "The largest angle, either way.",
            )],
        ),
        make: |s| Augment::Rotate { degrees: s.real("degrees") },
        label: |_| None,
    },
    AugmentDef {
        sig: sig(
            "jitter",
            &["ColorJitter", "color_jitter"],
            "Brightness, contrast and saturation are multiplied by factors from `1 - setting` (at least 0) to `1 + setting`, in \
             an order that is drawn as well, as torchvision's `ColorJitter` does. Of images of bytes.",
            "jitter(0.2, 0.2, saturation=0.2)",
            &[
                strength("brightness", 0.2, "How far from black."),
                strength("contrast", 0.2, "How far from the mean grey of the image."),
                strength("saturation", 0.0, "How far from grey: of images of three channels."),
            ],
        ),
        make: |s| Augment::Jitter {
            brightness: s.real("brightness"),
            contrast: s.real("contrast"),
            saturation: s.real("saturation"),
        },
        label: |_| None,
    },
    AugmentDef {
        sig: sig(
            "cutout",
            &["Cutout", "RandomErasing"],
            "A square of `size` becomes zeros, its middle anywhere in the image (DeVries and Taylor, 2017).",
            "cutout(8)",
            &[count("size", 1, Default::Required, "Height and width of the square.")],
        ),
        make: |s| Augment::Cutout { size: s.count("size") },
        label: |_| None,
    },
    AugmentDef {
        sig: sig(
            "mixup",
            &["MixUp", "Mixup", "mix_up"],
            "Each training row becomes a mean of itself and another one, and its label the same mean: classes become shares, of \
             which there is one for each class. The share of the row itself is drawn from Beta(alpha, alpha) (Zhang and \
             others, 2018).",
            "mixup(0.2, label)",
            &[
                attr(
                    "alpha",
                    AttrType::Float { min: 0.01, max: 100.0, open: false },
                    Default::Required,
                    "How evenly rows mix: near 0 hardly, 1 by any share.",
                ),
                attr("label", AttrType::Cell, Default::Required, "The column of labels that mix alike."),
            ],
        ),
        make: |s| Augment::Mixup { alpha: s.real("alpha") },
        label: |s| s.word("label").map(String::from),
    },
];
