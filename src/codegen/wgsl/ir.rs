//! Structured kernels as plain data: what the printer prints and the checker proves things about.
//!
//! As close to WGSL as that needs: typed locals behind handles, expressions without side effects, blocks. Names of
//! locals are the printer's; names of functions and workgroup variables stand as they are, prefix included.

use crate::base::DType;
use crate::graph::ScalarOp;

/// What a value is. Bytes are widened to `U32` when they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    F32,
    I32,
    U32,
    Bool,
}

/// A local of a function: an index into [`Function::locals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local(pub u32);

/// What is known of a local.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// What it is called; the printer adds numbers where several are called alike.
    pub hint: &'static str,
    pub ty: Type,
    pub kind: Kind,
}

/// How a local comes to its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A parameter; printed as its hint. `uniform`: all invocations of the workgroup are given the same.
    Param { uniform: bool },
    /// Set once.
    Let,
    /// May be assigned.
    Var,
    /// The counter of a loop.
    Counter,
}

/// A function at module scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub params: Vec<Local>,
    pub result: Option<Type>,
    pub locals: Vec<Variable>,
    pub body: Block,
}

/// Statements in order.
pub type Block = Vec<Stmt>;

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    F32(f32),
    I32(i32),
    U32(u32),
    Local(Local),
    Not(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// A row of the scalar table.
    Scalar {
        op: ScalarOp,
        args: Vec<Expr>,
    },
    Select {
        when: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// A function that has no barriers and writes nothing.
    Call {
        function: String,
        args: Vec<Expr>,
        result: Type,
    },
    /// The same number, as far as the other type has it.
    Cast {
        to: Type,
        value: Box<Expr>,
    },
    /// An element of an array in workgroup memory.
    Element {
        array: String,
        ty: Type,
        index: Box<Expr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    /// By a `u32`.
    Shr,
    BitAnd,
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
    And,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    Let {
        local: Local,
        value: Expr,
    },
    Var {
        local: Local,
        value: Expr,
    },
    Assign {
        local: Local,
        value: Expr,
    },
    /// Calls a function for what it does. `collective`: it holds barriers, so all invocations must call it.
    Call {
        function: String,
        args: Vec<Expr>,
        collective: bool,
    },
    If {
        when: Expr,
        then: Block,
        otherwise: Block,
    },
    /// `counter` from `from` while below `to`, in steps of `step`, none of which the body changes.
    For {
        counter: Local,
        from: Expr,
        to: Expr,
        step: Expr,
        body: Block,
    },
    /// Waits until all invocations of the workgroup are here, and what each has read and written in buffers is done.
    StorageBarrier,
    Return(Option<Expr>),
}

impl Type {
    /// As an element is read.
    pub fn of(dtype: DType) -> Type {
        match dtype {
            DType::F32 => Type::F32,
            DType::I32 => Type::I32,
            DType::U8 => Type::U32,
        }
    }

    /// The element type that the scalar table knows it by.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Type::F32 => Some(DType::F32),
            Type::I32 => Some(DType::I32),
            Type::U32 => Some(DType::U8),
            Type::Bool => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Type::F32 => "f32",
            Type::I32 => "i32",
            Type::U32 => "u32",
            Type::Bool => "bool",
        }
    }
}

impl Function {
    /// A function without parameters, body or result.
    pub fn new(name: impl Into<String>) -> Function {
        Function { name: name.into(), params: Vec::new(), result: None, locals: Vec::new(), body: Vec::new() }
    }

    pub fn param(&mut self, hint: &'static str, ty: Type, uniform: bool) -> Expr {
        let local = self.local(hint, ty, Kind::Param { uniform });
        self.params.push(local);
        Expr::Local(local)
    }

    pub fn local(&mut self, hint: &'static str, ty: Type, kind: Kind) -> Local {
        self.locals.push(Variable { hint, ty, kind });
        Local(u32::try_from(self.locals.len() - 1).expect("wgsl: a function has few locals"))
    }

    pub fn variable(&self, local: Local) -> &Variable {
        &self.locals[local.0 as usize]
    }
}

impl Binary {
    /// As WGSL writes it.
    pub fn sign(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Rem => "%",
            Binary::Shr => ">>",
            Binary::BitAnd => "&",
            Binary::Eq => "==",
            Binary::Lt => "<",
            Binary::Le => "<=",
            Binary::Gt => ">",
            Binary::Ge => ">=",
            Binary::And => "&&",
        }
    }
}

impl Expr {
    /// Whether it may stand twice at no cost: a literal or a local.
    pub fn is_atom(&self) -> bool {
        self.is_literal() || matches!(self, Expr::Local(_))
    }

    pub fn is_literal(&self) -> bool {
        matches!(self, Expr::F32(_) | Expr::I32(_) | Expr::U32(_))
    }

    pub fn binary(self, sign: Binary, other: Expr) -> Expr {
        Expr::Binary(sign, Box::new(self), Box::new(other))
    }

    /// The sum of two `i32`, without zeros.
    pub fn plus(self, other: Expr) -> Expr {
        match (self, other) {
            (Expr::I32(a), Expr::I32(b)) => Expr::I32(a.wrapping_add(b)),
            (a, Expr::I32(0)) => a,
            (Expr::I32(0), b) => b,
            (a, Expr::I32(b)) if b < 0 && b != i32::MIN => a.binary(Binary::Sub, Expr::I32(-b)),
            (a, b) => a.binary(Binary::Add, b),
        }
    }

    /// The product of an `i32` with a number.
    pub fn times(self, factor: i32) -> Expr {
        match (self, factor) {
            (_, 0) => Expr::I32(0),
            (a, 1) => a,
            (Expr::I32(a), b) => Expr::I32(a.wrapping_mul(b)),
            (a, b) => a.binary(Binary::Mul, Expr::I32(b)),
        }
    }

    pub fn cast(self, to: Type) -> Expr {
        Expr::Cast { to, value: Box::new(self) }
    }

    pub fn call(function: impl Into<String>, args: Vec<Expr>, result: Type) -> Expr {
        Expr::Call { function: function.into(), args, result }
    }

    /// `(self / by, self % by)` of an `i32` that is not negative.
    pub fn split(self, by: usize) -> (Expr, Expr) {
        if by <= 1 {
            return (self, Expr::I32(0));
        }
        let n = i32::try_from(by).expect("wgsl: sizes fit i32");
        if by.is_power_of_two() {
            let high = self.clone().binary(Binary::Shr, Expr::U32(by.trailing_zeros()));
            return (high, self.binary(Binary::BitAnd, Expr::I32(n - 1)));
        }
        // Unsigned, since a signed division by a constant costs several instructions more.
        let part = |x: Expr, sign| x.cast(Type::U32).binary(sign, Expr::U32(n as u32)).cast(Type::I32);
        (part(self.clone(), Binary::Div), part(self, Binary::Rem))
    }
}
