//! The rows of what is done to training rows alone, anew in each epoch: images turned and moved at random.

use super::table::{Settings, attr, count, sig};
use crate::ops::{AttrValue, Default, Sig};

/// A change of training rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Augment {
    /// Left and right change places in every other row.
    Flip,
    /// A square of the image after it gained `pad` zeros on all sides.
    Crop { size: usize, pad: usize },
}

/// A change of the library.
#[derive(Debug)]
pub struct AugmentDef {
    pub sig: Sig,
    make: fn(&Settings) -> Augment,
}

impl AugmentDef {
    /// The step with these settings.
    pub fn step(&self, values: &[AttrValue]) -> Augment {
        (self.make)(&Settings::new(&self.sig, values))
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
                    crate::ops::AttrType::Int { min: 0, max: 1 << 12 },
                    Default::Int(4),
                    "Zeros on each side: by so much the image moves at most.",
                ),
            ],
        ),
        make: |s| Augment::Crop { size: s.count("size"), pad: s.count("pad") },
    },
];
