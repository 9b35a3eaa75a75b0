//! Proves of a kernel what no driver may find out: types agree, locals stand before their use, and every barrier is
//! reached by all invocations of a workgroup or by none.
//!
//! For the last, a value is *uniform* if it is the same in all invocations: literals, uniform parameters, `let`s
//! and counters made of uniform values alone. Variables, calls and reads of memory are taken to differ. Control
//! flow is uniform where every condition and loop bound around it is, and no invocation has returned before.

use super::ir::{Binary, Block, Expr, Function, Kind, Local, Stmt, Type};

/// Panics, naming the broken invariant.
pub fn check(function: &Function) {
    let mut checker = Checker {
        function,
        known: vec![false; function.locals.len()],
        uniform: vec![false; function.locals.len()],
        all_here: true,
    };
    for &param in &function.params {
        let Kind::Param { uniform } = function.variable(param).kind else {
            panic!("wgsl: {}: a parameter is one", function.name)
        };
        checker.declare(param, uniform);
    }
    checker.block(&function.body);
}

struct Checker<'a> {
    function: &'a Function,
    /// By local: whether it is in scope.
    known: Vec<bool>,
    uniform: Vec<bool>,
    /// Whether all invocations of the workgroup or none are here.
    all_here: bool,
}

impl Checker<'_> {
    fn ensure(&self, holds: bool, what: &str) {
        assert!(holds, "wgsl: {}: {what}", self.function.name);
    }

    fn declare(&mut self, local: Local, uniform: bool) {
        self.ensure(!self.known[local.0 as usize], "a local is declared once");
        self.known[local.0 as usize] = true;
        self.uniform[local.0 as usize] = uniform;
    }

    fn is(&self, local: Local, kind: Kind, ty: Type) {
        let variable = self.function.variable(local);
        self.ensure(variable.kind == kind, &format!("{} is declared as what it is", variable.hint));
        self.ensure(variable.ty == ty, &format!("{} has the type of its value", variable.hint));
    }

    fn block(&mut self, block: &Block) {
        let before = self.known.clone();
        block.iter().for_each(|stmt| self.stmt(stmt));
        self.known = before;
    }

    /// A block that some invocations may skip, or run more often, unless `uniform`.
    fn branch(&mut self, uniform: bool, block: &Block) {
        let before = self.all_here;
        self.all_here &= uniform;
        self.block(block);
        // Those that return inside are missing in what follows.
        self.all_here = before && if uniform { self.all_here } else { !returns(block) };
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { local, value } => {
                self.is(*local, Kind::Let, self.ty(value));
                self.declare(*local, self.is_uniform(value));
            }
            Stmt::Var { local, value } => {
                self.is(*local, Kind::Var, self.ty(value));
                self.declare(*local, false);
            }
            Stmt::Assign { local, value } => {
                self.is(*local, Kind::Var, self.ty(value));
                self.ensure(self.known[local.0 as usize], "a variable is declared before it is assigned");
            }
            Stmt::Call { args, collective, .. } => {
                args.iter().for_each(|arg| _ = self.ty(arg));
                self.ensure(!collective || self.all_here, "a collective call stands in uniform flow");
            }
            Stmt::If { when, then, otherwise } => {
                self.ensure(self.ty(when) == Type::Bool, "a condition is true or false");
                let uniform = self.is_uniform(when);
                self.branch(uniform, then);
                self.branch(uniform, otherwise);
            }
            Stmt::For { counter, from, to, step, body } => {
                let bounds = [from, to, step];
                for bound in bounds {
                    self.is(*counter, Kind::Counter, self.ty(bound));
                }
                let uniform = bounds.iter().all(|bound| self.is_uniform(bound));
                self.declare(*counter, uniform);
                // What a later turn finds, an earlier one may have brought about.
                self.branch(uniform && !returns(body), body);
                self.known[counter.0 as usize] = false;
            }
            Stmt::StorageBarrier => self.ensure(self.all_here, "a barrier stands in uniform flow"),
            Stmt::Return(value) => {
                let ty = value.as_ref().map(|value| self.ty(value));
                self.ensure(ty == self.function.result, "a function returns what it says");
            }
        }
    }

    fn is_uniform(&self, expr: &Expr) -> bool {
        match expr {
            Expr::F32(_) | Expr::I32(_) | Expr::U32(_) => true,
            Expr::Local(local) => self.uniform[local.0 as usize],
            Expr::Not(x) | Expr::Cast { value: x, .. } => self.is_uniform(x),
            Expr::Binary(_, a, b) => self.is_uniform(a) && self.is_uniform(b),
            Expr::Scalar { args, .. } => args.iter().all(|arg| self.is_uniform(arg)),
            Expr::Select { when, then, otherwise } => {
                [when, then, otherwise].iter().all(|part| self.is_uniform(part))
            }
            Expr::Call { .. } | Expr::Element { .. } => false,
        }
    }

    /// The type of a sound expression whose locals are in scope.
    fn ty(&self, expr: &Expr) -> Type {
        let same = |a: &Expr, b: &Expr, what: &str| {
            let ty = self.ty(a);
            self.ensure(ty == self.ty(b), what);
            ty
        };
        match expr {
            Expr::F32(_) | Expr::I32(_) | Expr::U32(_) => {}
            Expr::Local(local) => {
                let hint = self.function.variable(*local).hint;
                self.ensure(self.known[local.0 as usize], &format!("{hint} is used where it is known"));
            }
            Expr::Not(x) => self.ensure(self.ty(x) == Type::Bool, "truth is turned round"),
            Expr::Binary(Binary::Shr, a, b) => {
                let fits = matches!(self.ty(a), Type::I32 | Type::U32) && self.ty(b) == Type::U32;
                self.ensure(fits, "whole numbers are shifted by u32");
            }
            Expr::Binary(sign, a, b) => {
                let ty = same(a, b, "operands have one type");
                let logic = *sign == Binary::And;
                self.ensure(logic == (ty == Type::Bool), "truth is joined, numbers are reckoned with");
            }
            Expr::Scalar { args, .. } => args.iter().for_each(|arg| _ = self.ty(arg)),
            Expr::Select { when, then, otherwise } => {
                self.ensure(self.ty(when) == Type::Bool, "a choice is true or false");
                same(then, otherwise, "both choices have one type");
            }
            Expr::Call { args, .. } => args.iter().for_each(|arg| _ = self.ty(arg)),
            Expr::Cast { to, value } => {
                let fits = self.ty(value) != Type::Bool && *to != Type::Bool;
                self.ensure(fits, "numbers become numbers");
            }
            Expr::Element { index, .. } => {
                self.ensure(matches!(self.ty(index), Type::I32 | Type::U32), "an index is a whole number");
            }
        }
        expr.ty(self.function)
    }
}

/// Whether some invocation may leave the function in a block.
fn returns(block: &Block) -> bool {
    block.iter().any(|stmt| match stmt {
        Stmt::Return(_) => true,
        Stmt::If { then, otherwise, .. } => returns(then) || returns(otherwise),
        Stmt::For { body, .. } => returns(body),
        Stmt::Let { .. }
        | Stmt::Var { .. }
        | Stmt::Assign { .. }
        | Stmt::Call { .. }
        | Stmt::StorageBarrier => false,
    })
}

impl Expr {
    /// The type of a sound expression.
    pub fn ty(&self, function: &Function) -> Type {
        match self {
            Expr::F32(_) => Type::F32,
            Expr::I32(_) => Type::I32,
            Expr::U32(_) => Type::U32,
            Expr::Local(local) => function.variable(*local).ty,
            Expr::Not(_) => Type::Bool,
            Expr::Binary(sign, a, _) => match sign {
                Binary::Add
                | Binary::Sub
                | Binary::Mul
                | Binary::Div
                | Binary::Rem
                | Binary::Shr
                | Binary::BitAnd => a.ty(function),
                Binary::Eq | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::And => Type::Bool,
            },
            Expr::Scalar { op, args } => {
                let known = |arg: &Expr| {
                    arg.ty(function).dtype().unwrap_or_else(|| panic!("wgsl: {} takes numbers", op.name()))
                };
                let operands: Vec<_> = args.iter().map(known).collect();
                Type::of(op.result(&operands).unwrap_or_else(|why| panic!("wgsl: {}: {why}", function.name)))
            }
            Expr::Select { then, .. } => then.ty(function),
            Expr::Call { result, .. } => *result,
            Expr::Cast { to, .. } => *to,
            Expr::Element { ty, .. } => *ty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a function of `group` and `local`, with whatever body is made of them.
    fn checked(body: impl Fn(&mut Function, Expr, Expr) -> Block) {
        let mut function = Function::new("main");
        let group = function.param("group", Type::U32, true);
        let local = function.param("local", Type::U32, false);
        function.body = body(&mut function, group, local);
        check(&function);
    }

    fn below(x: Expr, bound: u32) -> Expr {
        x.binary(Binary::Lt, Expr::U32(bound))
    }

    fn only(when: Expr, then: Block) -> Stmt {
        Stmt::If { when, then, otherwise: Block::new() }
    }

    const WAIT: Stmt = Stmt::StorageBarrier;

    fn repeat(f: &mut Function, to: Expr, body: impl Fn(Expr) -> Block) -> Stmt {
        let counter = f.local("i", Type::U32, Kind::Counter);
        let body = body(Expr::Local(counter));
        Stmt::For { counter, from: Expr::U32(0), to, step: Expr::U32(1), body }
    }

    #[test]
    fn uniform_flow_may_wait() {
        checked(|f, group, local| {
            let inner = |i: Expr| vec![only(below(i, 2), vec![WAIT])];
            let walk = repeat(f, group.clone(), inner);
            vec![only(below(group, 4), vec![WAIT]), walk, only(below(local, 4), vec![]), WAIT]
        });
    }

    #[test]
    #[should_panic(expected = "a barrier stands in uniform flow")]
    fn some_of_a_workgroup_may_not_wait() {
        checked(|_, _, local| vec![only(below(local, 4), vec![WAIT])]);
    }

    #[test]
    #[should_panic(expected = "a barrier stands in uniform flow")]
    fn a_value_made_of_others_is_no_more_uniform_than_they_are() {
        checked(|f, group, local| {
            let mixed = f.local("x", Type::U32, Kind::Let);
            let value = group.binary(Binary::Add, local);
            vec![Stmt::Let { local: mixed, value }, only(below(Expr::Local(mixed), 4), vec![WAIT])]
        });
    }

    #[test]
    #[should_panic(expected = "a barrier stands in uniform flow")]
    fn loops_of_different_length_may_not_wait() {
        checked(|f, _, local| vec![repeat(f, local, |_| vec![WAIT])]);
    }

    #[test]
    #[should_panic(expected = "a barrier stands in uniform flow")]
    fn who_has_returned_is_missed() {
        checked(|_, _, local| vec![only(below(local, 4), vec![Stmt::Return(None)]), WAIT]);
    }

    #[test]
    #[should_panic(expected = "a barrier stands in uniform flow")]
    fn who_returned_a_turn_ago_is_missed() {
        checked(|f, _, local| {
            vec![repeat(f, Expr::U32(3), |_| {
                vec![WAIT, only(below(local.clone(), 4), vec![Stmt::Return(None)])]
            })]
        });
    }

    #[test]
    #[should_panic(expected = "a collective call stands in uniform flow")]
    fn a_function_with_barriers_is_called_by_all() {
        checked(|_, _, local| {
            let call = Stmt::Call { function: "mlc_fold_sum".into(), args: vec![], collective: true };
            vec![only(below(local, 4), vec![call])]
        });
    }

    #[test]
    #[should_panic(expected = "operands have one type")]
    fn types_agree() {
        checked(|_, group, _| vec![only(group.binary(Binary::Lt, Expr::I32(1)), vec![])]);
    }

    #[test]
    #[should_panic(expected = "i is used where it is known")]
    fn locals_end_with_their_block() {
        checked(|f, _, _| {
            let walk = repeat(f, Expr::U32(3), |_| vec![]);
            let Stmt::For { counter, .. } = walk else { panic!("a loop") };
            vec![walk, only(below(Expr::Local(counter), 4), vec![])]
        });
    }
}
