//! Which instructions the processor has, found once at run time.

use std::fmt;
use std::sync::OnceLock;

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Whatever the build's target guarantees; `f32::mul_add` for every fused step.
    Portable,
    /// AVX2 with FMA: 8 lanes.
    Avx2,
    /// AVX-512 F, VL, DQ, BW: 16 lanes.
    Avx512,
}

impl Isa {
    /// The best this processor has.
    pub fn detect() -> Isa {
        [Isa::Avx512, Isa::Avx2].into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// What everything without an explicit choice runs on: [`detect`](Isa::detect), unless the
    /// environment variable `MLC_ISA` (`portable`, `avx2`, `avx512`; read once) names a lesser
    /// one. An unknown or unavailable name is passed over.
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let named = std::env::var("MLC_ISA").ok();
            Isa::all().find(|isa| Some(isa.name()) == named.as_deref()).unwrap_or_else(Isa::detect)
        })
    }

    /// All that this processor can run, the least first.
    pub fn all() -> impl Iterator<Item = Isa> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available())
    }

    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Isa::Portable => true,
            Isa::Avx2 => has!("avx2") && has!("fma"),
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && has!("avx512f")
                    && has!("avx512vl")
                    && has!("avx512dq")
                    && has!("avx512bw")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Isa::Portable
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}
