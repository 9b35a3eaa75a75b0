//! The machine-code memory of one program, and the functions that its code may call.

use super::wide::{self, Loop};
use cranelift_codegen::ir::{AbiParam, FuncRef, Function, Signature, Type, types};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleError, default_libcall_names};
use mlc_kernels::{Isa, gemm, rng, strip, team};
use std::collections::BTreeMap;

const PTR: Type = types::I64;
/// Cranelift's names for the parts of AVX-512.
const AVX512: [&str; 6] =
    ["has_avx512f", "has_avx512vl", "has_avx512dq", "has_avx512vbmi", "has_avx512bitalg", "has_avx512vnni"];
const STRIP1: &[Type] = &[PTR, PTR, PTR];
const STRIP2: &[Type] = &[PTR, PTR, PTR, PTR];

/// A function of the kernels crate.
struct Extern {
    name: &'static str,
    address: *const u8,
    params: &'static [Type],
}

macro_rules! externs {
    ($($params:expr => $($module:ident::$name:ident),+;)*) => {
        fn externs() -> Vec<Extern> {
            vec![$($(Extern {
                name: stringify!($name),
                address: $module::$name as *const u8,
                params: $params,
            },)+)*]
        }
    };
}

externs! {
    STRIP1 => strip::mlc_exp, strip::mlc_expm1, strip::mlc_log, strip::mlc_log1p, strip::mlc_tanh,
        strip::mlc_sigmoid, strip::mlc_erf, strip::mlc_sin, strip::mlc_cos;
    STRIP2 => strip::mlc_pow;
    &[PTR, types::I32, types::I32, types::I64, PTR, PTR] => rng::mlc_uniform;
    &[PTR, PTR, PTR] => team::mlc_team_run;
    &[PTR, PTR, PTR, PTR, PTR] => gemm::mlc_gemm;
}

/// A module that functions are added to, and then sealed.
pub struct Jit {
    module: JITModule,
    context: Context,
    builder: FunctionBuilderContext,
    imports: BTreeMap<&'static str, FuncId>,
    externs: Vec<Extern>,
    /// Each wide loop that was wanted, and its function; none if there are no wide loops.
    wide: Option<BTreeMap<Loop, Option<FuncId>>>,
    texts: Vec<FunctionText>,
    keep_texts: bool,
}

/// A compiled function for people.
#[derive(Clone, Debug)]
pub struct FunctionText {
    pub name: String,
    pub clif: String,
    pub asm: String,
}

impl Jit {
    pub fn new(keep_texts: bool, isa: Isa) -> Jit {
        let externs = externs();
        let mut builder = JITBuilder::with_isa(host_isa(), default_libcall_names());
        for e in &externs {
            builder.symbol(e.name, e.address);
        }
        let module = JITModule::new(builder);
        let context = module.make_context();
        Jit {
            module,
            context,
            builder: FunctionBuilderContext::new(),
            imports: BTreeMap::new(),
            externs,
            wide: wide::is_available(isa).then(BTreeMap::new),
            texts: Vec::new(),
            keep_texts,
        }
    }

    /// A signature of the platform's C convention.
    pub fn signature(&self, params: &[Type]) -> Signature {
        let mut signature = self.module.make_signature();
        signature.params = params.iter().map(|&t| AbiParam::new(t)).collect();
        signature
    }

    /// Makes a function: `body` fills it in.
    pub fn define(
        &mut self,
        name: &str,
        params: &[Type],
        body: impl FnOnce(&mut Jit, &mut Function, &mut FunctionBuilderContext),
    ) -> FuncId {
        let signature = self.signature(params);
        let id = self
            .module
            .declare_function(name, Linkage::Local, &signature)
            .expect("codegen: function names are distinct");
        let mut context = std::mem::replace(&mut self.context, Context::new());
        let mut builder = std::mem::take(&mut self.builder);
        context.func.signature = signature;
        body(self, &mut context.func, &mut builder);
        let clif = if self.keep_texts { context.func.display().to_string() } else { String::new() };
        context.set_disasm(self.keep_texts);
        if let Err(error) = self.module.define_function(id, &mut context) {
            panic!("codegen: {name} does not compile: {}\n{}", explain(&error), context.func.display());
        }
        if self.keep_texts {
            let asm = context.compiled_code().and_then(|c| c.vcode.clone()).unwrap_or_default();
            self.texts.push(FunctionText { name: name.to_string(), clif, asm });
        }
        self.module.clear_context(&mut context);
        (self.context, self.builder) = (context, builder);
        id
    }

    /// Whether loops may be wide.
    pub fn is_wide(&self) -> bool {
        self.wide.is_some()
    }

    /// The function of a wide loop: of how many lanes fill whole vectors, and of its arguments. None where registers do
    /// not suffice, or where loops are not wide.
    pub fn wide(&mut self, of: Loop) -> Option<FuncId> {
        let known = self.wide.as_mut()?;
        if let Some(&function) = known.get(&of) {
            return function;
        }
        let name = format!("wide{}", known.len());
        let function = of.assemble().map(|code| self.define_bytes(&name, &of, &code));
        self.wide.as_mut()?.insert(of, function);
        function
    }

    fn define_bytes(&mut self, name: &str, of: &Loop, code: &[u8]) -> FuncId {
        let signature = self.signature(&[PTR, PTR, PTR]);
        let id = self
            .module
            .declare_function(name, Linkage::Local, &signature)
            .expect("codegen: function names are distinct");
        self.module.define_function_bytes(id, 64, code, &[]).expect("codegen: the function is new");
        if self.keep_texts {
            let asm = code.chunks(16).map(hex).collect();
            self.texts.push(FunctionText { name: name.to_string(), clif: of.to_string(), asm });
        }
        id
    }

    /// A reference to a kernels function inside `func`.
    pub fn import(&mut self, name: &'static str, func: &mut Function) -> FuncRef {
        let id = match self.imports.get(name) {
            Some(&id) => id,
            None => {
                let known = self.externs.iter().find(|e| e.name == name);
                let params = known.unwrap_or_else(|| panic!("codegen: {name} is not a known extern")).params;
                let signature = self.signature(params);
                let id = self
                    .module
                    .declare_function(name, Linkage::Import, &signature)
                    .expect("codegen: an extern has one signature");
                self.imports.insert(name, id);
                id
            }
        };
        self.module.declare_func_in_func(id, func)
    }

    /// A reference to a function of this module inside `func`.
    pub fn local(&mut self, id: FuncId, func: &mut Function) -> FuncRef {
        self.module.declare_func_in_func(id, func)
    }

    pub fn frontend_config(&self) -> cranelift_codegen::isa::TargetFrontendConfig {
        self.module.target_config()
    }

    /// Makes all functions executable.
    pub fn seal(mut self) -> Code {
        self.module.finalize_definitions().expect("codegen: every function that is called exists");
        Code { calls: self.imports.keys().copied().collect(), texts: self.texts, module: Some(self.module) }
    }
}

/// Executable functions; their memory lives as long as this.
pub struct Code {
    module: Option<JITModule>,
    /// Names of the kernels functions that the code calls, sorted.
    pub calls: Vec<&'static str>,
    pub texts: Vec<FunctionText>,
}

// SAFETY: sealed code is read-only memory; the module is only asked for addresses, and freed by
// the one owner.
unsafe impl Send for Code {}
// SAFETY: as above: shared use only reads.
unsafe impl Sync for Code {}

impl Code {
    pub fn address(&self, id: FuncId) -> *const u8 {
        self.module.as_ref().expect("codegen: the module lives until drop").get_finalized_function(id)
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: whoever runs this code borrows the `Compiled` that owns it, so none runs now
            // and no address outlives it.
            unsafe { module.free_memory() };
        }
    }
}

fn host_isa() -> std::sync::Arc<dyn TargetIsa> {
    let mut flags = settings::builder();
    let set = |flags: &mut settings::Builder, name: &str, value: &str| {
        flags.set(name, value).expect("cranelift: the setting exists");
    };
    set(&mut flags, "opt_level", "speed");
    set(&mut flags, "enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" });
    set(&mut flags, "use_colocated_libcalls", "false");
    set(&mut flags, "is_pic", "false");
    processor().finish(settings::Flags::new(flags)).expect("cranelift: the host's own settings are sound")
}

/// What Cranelift may use of this processor: no more than the kernels do.
fn processor() -> cranelift_codegen::isa::Builder {
    let baseline = Isa::current() == Isa::Portable && Isa::detect() != Isa::Portable;
    let mut builder = cranelift_native::builder_with_options(!baseline)
        .expect("cranelift: this processor is one that it knows");
    if Isa::current() == Isa::Avx2 {
        for setting in AVX512 {
            builder.set(setting, "false").expect("cranelift: the setting exists");
        }
    }
    builder
}

/// A line of bytes.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>().trim_end().to_string() + "\n"
}

fn explain(error: &ModuleError) -> String {
    match error {
        ModuleError::Compilation(CodegenError::Verifier(errors)) => errors.to_string(),
        other => other.to_string(),
    }
}
