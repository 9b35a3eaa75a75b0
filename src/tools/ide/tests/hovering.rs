//! Hover and signature help.

use super::{WHOLE, analysed, cursor, edited};
use crate::tools::ide::hover::hover;
use crate::tools::ide::signature::signature;

/// What hover shows at the cursor, with the text that it is about.
fn shown(find: &str, with: &str) -> String {
    let (analysis, at) = edited(find, with);
    match hover(&analysis, at) {
        Some(hover) => format!("[{}]\n{}", analysis.sources.slice(hover.span), hover.markdown),
        None => "nothing".into(),
    }
}

macro_rules! hovers {
    ($($name:ident: $find:literal => $with:literal;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(shown($find, $with));
        }
    )*};
}

hovers! {
    a_param: "param hidden" => "param hid¦den";
    a_param_where_it_is_used: "Dense(hidden, activation=relu)" => "Dense(hidd¦en, activation=relu)";
    a_param_of_an_optimizer: "lr=rate" => "lr=ra¦te";
    a_dim: "Dense(C)" => "Dense(¦C)";
    a_layer_with_weights: "row |> Dense(" => "row |> De¦nse(";
    a_layer_in_a_block_used_several_times: "x |> Dense(" => "x |> De¦nse(";
    a_layer_of_the_other_framework: "LayerNorm as" => "Layer¦Norm as";
    a_layer_without_weights: "Dropout(p)" => "Drop¦out(p)";
    an_argument: "activation=relu" => "activ¦ation=relu";
    an_activation: "activation=relu" => "activation=re¦lu";
    an_argument_that_differs_elsewhere: "Dense(C)" => "Dense(C, in¦it=zeros)";
    an_initialiser: "Dense(C)" => "Dense(C, init=zer¦os)";
    a_block: "Residual(hidden, p=0.2)" => "Resid¦ual(hidden, p=0.2)";
    a_setting_of_a_block: "Residual(hidden, p=0.2)" => "Residual(hidden, p¦=0.2)";
    a_setting_within_a_block: "Dropout(p)" => "Dropout(p¦)";
    an_op_of_the_user: "scaled(by=3)" => "scal¦ed(by=3)";
    a_model: "CrossEntropy(Net" => "CrossEntropy(Ne¦t";
    an_output: "Net.logits" => "Net.log¦its";
    an_input: "wide = row" => "wide = ro¦w";
    a_let: "    wide |>" => "    wi¦de |>";
    a_name_of_weights: "as fc1" => "as fc¦1";
    weights_by_kind: "[bias" => "[bi¦as";
    a_data_section: "row = people.row" => "row = peo¦ple.row";
    a_column_with_classes: "people.income }" => "people.inc¦ome }";
    a_column_of_words: "city  " => "ci¦ty  ";
    all_columns: "people.row" => "people.ro¦w";
    a_size_of_the_data: "people.features" => "people.feat¦ures";
    a_transform: "standardize" => "standard¦ize";
    a_transform_with_a_choice: "one_hot(unknown" => "one_hot(unk¦nown";
    a_change_of_training_rows: "seed = 1 }" => "seed = 1 }\n  augment { age = age |> ro¦tate(10) }";
    a_source: "csv(" => "c¦sv(";
    a_key: "batch = 32" => "ba¦tch = 32";
    a_key_of_an_inner_section: "seed = 1 }" => "se¦ed = 1 }";
    a_section_word: "train {\n" => "tra¦in {\n";
    a_loss: "CrossEntropy(" => "Cross¦Entropy(";
    an_optimizer: "AdamW(" => "Adam¦W(";
    a_schedule: "cosine(" => "cos¦ine(";
    a_way_to_clip: "global_norm(" => "global_¦norm(";
    a_metric: "[accuracy" => "[accu¦racy";
    a_way_to_stop: "EarlyStopping" => "Early¦Stopping";
    a_type: "input row: f32" => "input row: f¦32";
    the_batch: "input row: f32[B" => "input row: f32[¦B";
    a_comment: "// 😀" => "// 😀¦";
    what_is_not_built: "epochs    = 10" => "mem¦ory = 2e9";
    a_param_in_a_variant: "{ hidden = 8" => "{ hid¦den = 8";
    a_layer_behind_a_broken_entry: "let wide = row |> Dense(" => "let odd = row |> |> \n  let wide = row |> Den¦se(";
}

/// The signature around the cursor, the active parameter in brackets.
fn help(with: &str) -> String {
    let (text, at) = cursor(with);
    let analysis = analysed(&text);
    let Some(help) = signature(&analysis, at) else { return "nothing".into() };
    let mut label = help.label.clone();
    let mut doc = String::new();
    if let Some((range, said)) = help.active.map(|a| &help.parameters[a]) {
        label = format!("{}⟦{}⟧{}", &label[..range.start], &label[range.clone()], &label[range.end..]);
        doc = format!("\n  {said}");
    }
    format!("{label}{doc}\n{}", help.doc)
}

#[test]
fn signatures() {
    let model = |body: &str| format!("mlspec 1\nmodel M {{\n  input x: f32[B, 4] // 😀\n  output y = {body}");
    let train = |body: &str| format!("mlspec 1\ntrain {{\n  {body}");
    let cases = [
        model("x |> Dense(¦"),
        model("x |> Dense(10, ¦) as fc\n}\n"),
        model("x |> Dense(10, bias=¦"),
        model("x |> Dense(10, bias=true, act¦"),
        model("softmax(¦)\n}\n"),
        model("x |> softmax(¦)\n}\n"),
        model("max(x, ¦"),
        model("x |> Dense(10, init=Normal(¦"),
        model("x |> Dense(10)¦ as fc"),
        train("optimizer = Adam(¦"),
        train("optimizer = AdamW(1e-3, ¦"),
        train("loss = CrossEntropy(M.y, ¦"),
        train("schedule = cosine(warmup=10, ¦"),
        train("stop = EarlyStopping(¦"),
        train("metrics = [accuracy, top_k(¦"),
        "mlspec 1\ndata d {\n  source = csv(\"a😀.csv\", ¦".into(),
        "mlspec 1\ndata d {\n  source = synthetic(xor, ¦".into(),
        "mlspec 1\ndata d {\n  source = csv(\"a.csv\")\n  a : impute(¦".into(),
        "mlspec 1\nblock L(n: int, p: float = 0.2) (x: f32[B, n]) -> (y: f32[B, n]) { output y = x |> Dense(n) as a }\n\
         model M {\n  input x: f32[B, 4]\n  output y = x |> L(4, ¦\n"
            .into(),
        "mlspec 1\nop twice(x: f32[..s], by: int = 2) -> f32[..s] = by * x\nmodel M {\n  input x: f32[B, 4]\n  output y = x \
         |> twice(¦\n"
            .into(),
        "mlspec 1\n// (¦".into(),
    ];
    let seen: Vec<String> =
        cases.iter().map(|c| format!("{}\n{}", c.lines().last().unwrap(), help(c))).collect();
    insta::assert_snapshot!(seen.join("\n\n"));
}

#[test]
fn a_hover_is_about_the_name_under_it() {
    let analysis = analysed(WHOLE);
    for one in &analysis.facts.uses {
        if let Some(found) = hover(&analysis, one.span.lo as usize) {
            assert_eq!(found.span, one.span);
            assert!(!found.markdown.is_empty());
        }
    }
}

#[test]
fn a_file_of_weights_is_explained() {
    let text = "mlspec 1\nmodel M {\n  pretrained = safetensors(\"f\", layout=torch)\n  input x: f32[B, 4]\n  output y = x\n}\n";
    let analysis = analysed(text);
    let over =
        |word: &str| hover(&analysis, text.find(word).unwrap()).map(|h| h.markdown).unwrap_or_default();
    assert!(over("pretrained").contains("A file of weights to start from"), "{}", over("pretrained"));
    assert!(over("safetensors").contains("layout = mlc"), "{}", over("safetensors"));
}
