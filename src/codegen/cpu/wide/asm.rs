//! Encodes the few instructions that wide loops are made of (Intel 64 and IA-32 Architectures Software
//! Developer's Manual, volume 2: chapter 2.7 has the EVEX prefix).

/// A general register by its number in the encoding.
pub type Gpr = u8;

pub const RAX: Gpr = 0;
pub const RDX: Gpr = 2;
pub const RBX: Gpr = 3;
pub const RBP: Gpr = 5;
pub const RSI: Gpr = 6;
pub const RDI: Gpr = 7;

/// An instruction of 512 bits: the map and prefix of its opcode.
#[derive(Clone, Copy, Debug)]
pub struct Evex {
    /// 1 is `0F`, 2 is `0F 38`, 3 is `0F 3A`.
    map: u8,
    /// 0 is none, 1 is `66`.
    prefix: u8,
    opcode: u8,
}

const fn evex(map: u8, prefix: u8, opcode: u8) -> Evex {
    Evex { map, prefix, opcode }
}

pub const VMOVUPS_LOAD: Evex = evex(1, 0, 0x10);
pub const VMOVUPS_STORE: Evex = evex(1, 0, 0x11);
pub const VSQRTPS: Evex = evex(1, 0, 0x51);
pub const VANDPS: Evex = evex(1, 0, 0x54);
pub const VORPS: Evex = evex(1, 0, 0x56);
pub const VXORPS: Evex = evex(1, 0, 0x57);
pub const VADDPS: Evex = evex(1, 0, 0x58);
pub const VMULPS: Evex = evex(1, 0, 0x59);
pub const VCVTDQ2PS: Evex = evex(1, 0, 0x5B);
pub const VSUBPS: Evex = evex(1, 0, 0x5C);
pub const VMINPS: Evex = evex(1, 0, 0x5D);
pub const VDIVPS: Evex = evex(1, 0, 0x5E);
pub const VMAXPS: Evex = evex(1, 0, 0x5F);
/// Shifts by a constant: which one is in the field of the destination, which takes that of the first source.
pub const VPSHIFTD: Evex = evex(1, 1, 0x72);
pub const VPSUBD: Evex = evex(1, 1, 0xFA);
pub const VPADDD: Evex = evex(1, 1, 0xFE);
pub const VCMPPS: Evex = evex(1, 0, 0xC2);
pub const VBROADCASTSS: Evex = evex(2, 1, 0x18);
pub const VPMOVZXBD: Evex = evex(2, 1, 0x31);
pub const VBLENDMPS: Evex = evex(2, 1, 0x65);
/// `reg = reg * rm + first`
pub const VFMADD132PS: Evex = evex(2, 1, 0x98);
/// `reg = first * reg + rm`
pub const VFMADD213PS: Evex = evex(2, 1, 0xA8);
/// `reg = first * rm + reg`
pub const VFMADD231PS: Evex = evex(2, 1, 0xB8);
pub const VRNDSCALEPS: Evex = evex(3, 1, 0x08);
pub const VPCMPD: Evex = evex(3, 1, 0x1F);

/// The last operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rm {
    Register(u8),
    /// `[base + lanes * rdx]`: elements of `lanes` bytes, `rdx` of them from the base on.
    Element {
        base: Gpr,
        bytes: u8,
    },
    /// `[base + at]`
    Field {
        base: Gpr,
        at: i32,
    },
    /// The constant of this number, behind the code.
    Constant(usize),
}

/// How an instruction is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    None,
    /// Other lanes keep what the destination had.
    Merge(u8),
    /// Other lanes are 0.
    Zero(u8),
}

/// What an instruction of three operands is about, but for its opcode.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// The register that the encoding calls `reg`: the destination, or what is stored.
    pub reg: u8,
    /// The first source of an instruction that has two.
    pub first: u8,
    pub rm: Rm,
    pub mask: Mask,
    /// Whether `rm` is one number in memory that serves all lanes.
    pub spread: bool,
    pub immediate: Option<u8>,
}

/// Where a jump goes: bound once, jumped to from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

/// Code in the making.
#[derive(Default)]
pub struct Asm {
    code: Vec<u8>,
    labels: Vec<Option<usize>>,
    /// Where a 32-bit distance stands, and to which label.
    jumps: Vec<(usize, usize)>,
    constants: Vec<u32>,
    /// Where a 32-bit distance stands, where the instruction ends, and to which constant.
    reads: Vec<(usize, usize, usize)>,
}

impl Asm {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    pub fn constant(&mut self, bits: u32) -> usize {
        match self.constants.iter().position(|&c| c == bits) {
            Some(known) => known,
            None => {
                self.constants.push(bits);
                self.constants.len() - 1
            }
        }
    }

    pub fn vector(&mut self, e: Evex, o: Operands) {
        let (x, b) = match o.rm {
            Rm::Register(r) => (r >> 4 & 1, r >> 3 & 1),
            Rm::Element { base, .. } | Rm::Field { base, .. } => (0, base >> 3 & 1),
            Rm::Constant(_) => (0, 0),
        };
        let (r, r_high) = (o.reg >> 3 & 1, o.reg >> 4 & 1);
        let (mask, zero) = match o.mask {
            Mask::None => (0, 0),
            Mask::Merge(k) => (k, 0),
            Mask::Zero(k) => (k, 1),
        };
        let low_first = !o.first & 0xF;
        let high_first = !(o.first >> 4) & 1;
        self.bytes(&[
            0x62,
            (1 - r) << 7 | (1 - x) << 6 | (1 - b) << 5 | (1 - r_high) << 4 | e.map,
            low_first << 3 | 1 << 2 | e.prefix,
            zero << 7 | 0b10 << 5 | u8::from(o.spread) << 4 | high_first << 3 | mask,
            e.opcode,
        ]);
        self.rm(o.reg, o.rm, usize::from(o.immediate.is_some()));
        self.code.extend(o.immediate);
    }

    /// The bytes that name `reg` and `rm`; `behind` more follow in the instruction.
    fn rm(&mut self, reg: u8, rm: Rm, behind: usize) {
        let reg = (reg & 7) << 3;
        match rm {
            Rm::Register(r) => self.bytes(&[0b11 << 6 | reg | r & 7]),
            Rm::Element { base, bytes } => {
                let scale = bytes.trailing_zeros() as u8;
                // Without a distance, bases 5 and 13 would mean none; the short distance 0 is the same in any unit.
                self.bytes(&[0b01 << 6 | reg | 0b100, scale << 6 | RDX << 3 | base & 7, 0]);
            }
            Rm::Field { base, at } => {
                assert!(base & 7 != 4, "codegen: such a base wants another form");
                self.bytes(&[0b10 << 6 | reg | base & 7]);
                self.bytes(&at.to_le_bytes());
            }
            Rm::Constant(number) => {
                self.bytes(&[reg | 0b101]);
                self.reads.push((self.code.len(), self.code.len() + 4 + behind, number));
                self.bytes(&[0; 4]);
            }
        }
    }

    /// `mov to, [base + at]`, 64 bits.
    pub fn load(&mut self, to: Gpr, base: Gpr, at: i32) {
        self.field(0x8B, to, base, at);
    }

    /// `mov [base + at], from`, 64 bits.
    pub fn store(&mut self, from: Gpr, base: Gpr, at: i32) {
        self.field(0x89, from, base, at);
    }

    /// `add to, [base + at]`, 64 bits.
    pub fn add(&mut self, to: Gpr, base: Gpr, at: i32) {
        self.field(0x03, to, base, at);
    }

    fn field(&mut self, opcode: u8, reg: Gpr, base: Gpr, at: i32) {
        self.bytes(&[0x48 | (reg >> 3) << 2 | base >> 3, opcode]);
        self.rm(reg, Rm::Field { base, at }, 0);
    }

    /// Joins mask registers: `kandw` or `korw` by their opcode.
    pub fn masks(&mut self, opcode: u8, to: u8, x: u8, y: u8) {
        self.bytes(&[0xC5, 1 << 7 | (!x & 0xF) << 3 | 1 << 2, opcode, 0b11 << 6 | to << 3 | y]);
    }

    pub fn push(&mut self, r: Gpr) {
        if r >= 8 {
            self.bytes(&[0x41]);
        }
        self.bytes(&[0x50 | r & 7]);
    }

    pub fn pop(&mut self, r: Gpr) {
        if r >= 8 {
            self.bytes(&[0x41]);
        }
        self.bytes(&[0x58 | r & 7]);
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    /// `j<condition> label`; the condition is the low half of the opcode.
    pub fn jump_if(&mut self, condition: u8, label: Label) {
        self.bytes(&[0x0F, 0x80 | condition]);
        self.jumps.push((self.code.len(), label.0));
        self.bytes(&[0; 4]);
    }

    /// The code with its constants behind it.
    pub fn finish(mut self) -> Vec<u8> {
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label].expect("codegen: every label is bound");
            self.patch(at, at + 4, target);
        }
        self.code.resize(self.code.len().next_multiple_of(4), 0xCC);
        let constants = self.code.len();
        for (at, end, number) in std::mem::take(&mut self.reads) {
            self.patch(at, end, constants + 4 * number);
        }
        for bits in std::mem::take(&mut self.constants) {
            self.bytes(&bits.to_le_bytes());
        }
        self.code
    }

    fn patch(&mut self, at: usize, from: usize, target: usize) {
        let distance = i32::try_from(target as i64 - from as i64).expect("codegen: code is below 2 GiB");
        self.code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
    }
}
