//! Arguments by the names that other frameworks give them.

/// What people write who come from elsewhere: layer, their argument, ours (none: say why not).
static FOREIGN: &[(&str, &str, Option<&str>, &str)] = &[
    ("Dense", "in_features", None, "the width of the input is known from the shape before it"),
    ("Dense", "input_dim", None, "the width of the input is known from the shape before it"),
    ("Dense", "input_shape", None, "a model's `input` has the shape"),
    ("Dense", "out_features", Some("units"), "Keras calls it `units`"),
    ("Dense", "use_bias", Some("bias"), "it is shorter here"),
    ("Dense", "kernel_initializer", Some("init"), "it is shorter here"),
    ("Dense", "bias_initializer", Some("bias_init"), "it is shorter here"),
    ("Dropout", "p", Some("rate"), "Keras calls it `rate`"),
    ("LeakyReLU", "negative_slope", Some("slope"), "it is shorter here"),
    ("LeakyReLU", "alpha", Some("slope"), "it is shorter here"),
    ("Softmax", "dim", Some("axis"), "Keras calls it `axis`"),
    ("LayerNorm", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("LayerNorm", "bias", Some("center"), "Keras calls it `center`"),
    ("LayerNorm", "normalized_shape", None, "the width of the input is known from the shape before it"),
    ("LayerNorm", "elementwise_affine", None, "`scale=false, center=false` leaves both weights out"),
    ("BatchNorm", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("BatchNorm", "num_features", None, "the width of the input is known from the shape before it"),
    ("BatchNorm", "affine", None, "`scale=false, center=false` leaves both weights out"),
    ("BatchNorm", "track_running_stats", None, "the moving statistics are always kept"),
    ("GroupNorm", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("GroupNorm", "num_groups", Some("groups"), "Keras calls it `groups`"),
    ("GroupNorm", "num_channels", None, "the width of the input is known from the shape before it"),
    ("RMSNorm", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("RMSNorm", "normalized_shape", None, "the width of the input is known from the shape before it"),
    ("RMSNorm", "elementwise_affine", Some("scale"), "it is the weight that the rows are multiplied by"),
    ("GaussianNoise", "stddev", Some("std"), "it is shorter here"),
    ("PReLU", "alpha_initializer", Some("init"), "it is shorter here"),
    ("PReLU", "shared_axes", None, "`per=channel` or `per=layer` shares the slopes"),
    ("PReLU", "num_parameters", None, "`per=channel` gives each channel a slope, `per=layer` all the same"),
    ("Embedding", "num_embeddings", Some("input_dim"), "Keras calls it `input_dim`"),
    ("Embedding", "embedding_dim", Some("output_dim"), "Keras calls it `output_dim`"),
    ("Embedding", "embeddings_initializer", Some("init"), "it is shorter here"),
    ("Embedding", "padding_idx", None, "`mask_zero=true` makes the id 0 padding"),
    ("Embedding", "input_length", None, "the length is known from the shape of the input"),
    ("MultiHeadAttention", "num_heads", Some("heads"), "it is shorter here"),
    ("MultiHeadAttention", "num_query_heads", Some("heads"), "it is shorter here"),
    ("MultiHeadAttention", "num_key_value_heads", Some("kv_heads"), "it is shorter here"),
    ("MultiHeadAttention", "head_dim", Some("key_dim"), "Keras calls it `key_dim`"),
    (
        "MultiHeadAttention",
        "embed_dim",
        None,
        "the width is known from the input; `key_dim` is that of one head",
    ),
    ("MultiHeadAttention", "output_shape", Some("output_dim"), "it is one size here"),
    ("MultiHeadAttention", "use_bias", Some("bias"), "it is shorter here"),
    ("MultiHeadAttention", "use_causal_mask", Some("causal"), "it is shorter here"),
    ("MultiHeadAttention", "kernel_initializer", Some("init"), "it is shorter here"),
    ("MultiHeadAttention", "batch_first", None, "the batch is the first axis always"),
    ("Adam", "learning_rate", Some("lr"), "it is shorter here"),
    ("Adam", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("Adam", "betas", None, "write `beta_1` and `beta_2`"),
    ("Adam", "weight_decay", None, "`AdamW(weight_decay=0.01)` lets weights decay"),
    ("SGD", "learning_rate", Some("lr"), "it is shorter here"),
    ("AdamW", "learning_rate", Some("lr"), "it is shorter here"),
    ("AdamW", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("AdamW", "betas", None, "write `beta_1` and `beta_2`"),
    ("Adamax", "learning_rate", Some("lr"), "it is shorter here"),
    ("Adamax", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("Adamax", "betas", None, "write `beta_1` and `beta_2`"),
    ("Nadam", "learning_rate", Some("lr"), "it is shorter here"),
    ("Nadam", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("Nadam", "betas", None, "write `beta_1` and `beta_2`"),
    ("Lion", "learning_rate", Some("lr"), "it is shorter here"),
    ("Lion", "betas", None, "write `beta_1` and `beta_2`"),
    ("RMSprop", "learning_rate", Some("lr"), "it is shorter here"),
    ("RMSprop", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("RMSprop", "alpha", Some("rho"), "Keras calls it `rho`"),
    ("Adagrad", "learning_rate", Some("lr"), "it is shorter here"),
    ("Adagrad", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("Adadelta", "learning_rate", Some("lr"), "it is shorter here"),
    ("Adadelta", "eps", Some("epsilon"), "Keras calls it `epsilon`"),
    ("ELU", "slope", Some("alpha"), "Keras calls it `alpha`"),
    ("Normal", "stddev", Some("std"), "it is shorter here"),
    ("TruncatedNormal", "stddev", Some("std"), "it is shorter here"),
    ("Uniform", "minval", None, "the range is from -bound to bound"),
    ("Uniform", "maxval", Some("bound"), "the range is from -bound to bound"),
    ("EarlyStopping", "restore_best_weights", Some("restore_best"), "it is shorter here"),
    ("EarlyStopping", "verbose", None, "the run always says why it stops"),
    ("step", "step_size", Some("every"), "it is shorter here"),
    ("step", "gamma", Some("factor"), "it says what it does"),
    ("exponential", "decay_steps", Some("every"), "it is shorter here"),
    ("exponential", "decay_rate", Some("rate"), "it is shorter here"),
    ("exponential", "gamma", Some("rate"), "Keras calls it a rate"),
    ("polynomial", "decay_steps", Some("steps"), "it is shorter here"),
    ("polynomial", "total_iters", Some("steps"), "it is shorter here"),
    ("polynomial", "end_learning_rate", Some("end"), "it is shorter here"),
    ("linear", "total_iters", Some("steps"), "it is shorter here"),
    ("cosine", "decay_steps", Some("steps"), "it is shorter here"),
    ("cosine", "T_max", Some("steps"), "it is a number of steps"),
    ("cosine", "warmup_steps", Some("warmup"), "it is shorter here"),
    ("cosine", "eta_min", Some("end"), "it is the rate at the end"),
    ("cosine", "alpha", None, "`end` is a learning rate, not a share of `lr`"),
    ("cosine", "warmup_target", None, "the optimizer's `lr` is the target"),
    ("cosine_restarts", "first_decay_steps", Some("period"), "it is shorter here"),
    ("cosine_restarts", "T_0", Some("period"), "it says what it is"),
    ("cosine_restarts", "T_mult", Some("t_mul"), "Keras calls it `t_mul`"),
    ("cosine_restarts", "eta_min", Some("end"), "it is the rate at the end"),
    ("cosine_restarts", "alpha", None, "`end` is a learning rate, not a share of `lr`"),
    ("plateau", "threshold", Some("min_delta"), "Keras calls it `min_delta`; it is a distance, not a share"),
    ("plateau", "mode", None, "which values are better is known of every metric"),
    ("plateau", "verbose", None, "`metrics.jsonl` has every validation"),
    ("one_cycle", "max_lr", None, "the optimizer's `lr` is the largest"),
    ("one_cycle", "total_steps", Some("steps"), "it is shorter here"),
    ("one_cycle", "anneal_strategy", Some("anneal"), "it is shorter here"),
];

const CONVOLUTIONS: &[&str] = &["Conv1D", "Conv2D", "Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D"];
const FILTERED: &[&str] = &["Conv1D", "Conv2D", "Conv2DTranspose", "SeparableConv2D"];
const POOLS: &[&str] = &["MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"];
const GLOBAL: &[&str] =
    &["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"];
const DROPOUTS: &[&str] = &["SpatialDropout1D", "SpatialDropout2D"];
const LOOPS: &[&str] = &["SimpleRNN", "LSTM", "GRU"];
const APART: &[&str] = &["SeparableConv2D", "DepthwiseConv2D"];

/// What people write who come from elsewhere, by families of layers: their argument, ours (none: say why not).
type Row = (&'static [&'static str], &'static str, Option<&'static str>, &'static str);

static FAMILIES: &[Row] = &[
    (CONVOLUTIONS, "in_channels", None, "the channels of the input are known from the shape before it"),
    (CONVOLUTIONS, "input_shape", None, "a model's `input` has the shape"),
    (FILTERED, "out_channels", Some("filters"), "Keras calls it `filters`"),
    (&["DepthwiseConv2D"], "out_channels", None, "each channel gives `multiplier` channels of its own"),
    (CONVOLUTIONS, "kernel_size", Some("kernel"), "it is shorter here"),
    (CONVOLUTIONS, "stride", Some("strides"), "Keras calls it `strides`"),
    (CONVOLUTIONS, "dilation_rate", Some("dilation"), "it is shorter here"),
    (CONVOLUTIONS, "use_bias", Some("bias"), "it is shorter here"),
    (CONVOLUTIONS, "kernel_initializer", Some("init"), "it is shorter here"),
    (CONVOLUTIONS, "bias_initializer", Some("bias_init"), "it is shorter here"),
    (CONVOLUTIONS, "data_format", None, "channels are the last axis"),
    (CONVOLUTIONS, "padding_mode", None, "what is around the input is 0"),
    (APART, "depth_multiplier", Some("multiplier"), "it is shorter here"),
    (APART, "depthwise_initializer", Some("init"), "it is shorter here"),
    (POOLS, "pool_size", Some("size"), "it is shorter here"),
    (POOLS, "kernel_size", Some("size"), "it is the size of the pool"),
    (POOLS, "stride", Some("strides"), "Keras calls it `strides`"),
    (POOLS, "data_format", None, "channels are the last axis"),
    (GLOBAL, "output_size", None, "all places become one"),
    (GLOBAL, "data_format", None, "channels are the last axis"),
    (DROPOUTS, "p", Some("rate"), "Keras calls it `rate`"),
    (LOOPS, "hidden_size", Some("units"), "Keras calls it `units`"),
    (LOOPS, "input_size", None, "the width of the input is known from the shape before it"),
    (
        LOOPS,
        "num_layers",
        None,
        "layers stand behind each other, all but the last with `return_sequences=true`",
    ),
    (LOOPS, "bidirectional", None, "`Bidirectional(LSTM(64))` reads from both ends"),
    (LOOPS, "batch_first", None, "the batch is the first axis always"),
    (LOOPS, "initial_state", None, "states flow in behind the input: `(x, h, c) |> LSTM(64)`"),
    (LOOPS, "initial", None, "states flow in behind the input: `(x, h, c) |> LSTM(64)`"),
    (LOOPS, "use_bias", Some("bias"), "it is shorter here"),
    (LOOPS, "kernel_initializer", Some("init"), "it is shorter here"),
    (LOOPS, "recurrent_initializer", Some("recurrent_init"), "it is shorter here"),
    (LOOPS, "bias_initializer", Some("bias_init"), "it is shorter here"),
    (LOOPS, "unroll", None, "a loop is compiled once, whatever its length"),
    (&["Bidirectional"], "merge_mode", Some("merge"), "it is shorter here"),
    (&["Bidirectional"], "backward_layer", None, "both ways have the settings of the one `layer`"),
    (&["UpSampling2D"], "scale_factor", Some("size"), "Keras calls it `size`"),
    (&["UpSampling2D"], "mode", Some("interpolation"), "Keras calls it `interpolation`"),
    (&["Permute"], "dims", None, "the axes stand in the parentheses by themselves: `Permute(2, 1)`"),
];

/// What `theirs` is called here (none: it is not said at all), and why.
pub(super) fn ours(layer: &str, theirs: &str) -> Option<(Option<&'static str>, &'static str)> {
    let row = FOREIGN.iter().find(|(of, name, ..)| *of == layer && *name == theirs);
    let family = || FAMILIES.iter().find(|(of, name, ..)| of.contains(&layer) && *name == theirs);
    row.map(|(_, _, ours, why)| (*ours, *why)).or_else(|| family().map(|(_, _, ours, why)| (*ours, *why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Sig, init, layers, optimizer};

    #[test]
    fn foreign_names_lead_to_settings_that_exist() {
        let sigs: Vec<&Sig> = layers()
            .iter()
            .map(|l| l.sig())
            .chain(optimizer::OPTIMIZERS.iter().map(|o| &o.sig))
            .chain(init::INITS.iter().map(|i| &i.sig))
            .chain(crate::ops::schedule::SCHEDULES.iter().map(|s| &s.sig))
            .chain([&crate::ops::stop::EARLY_STOPPING, &crate::ops::plateau::SIG])
            .collect();
        let families = FAMILIES
            .iter()
            .flat_map(|(layers, theirs, ours, _)| layers.iter().map(move |l| (l, theirs, ours)));
        for (layer, theirs, ours) in
            FOREIGN.iter().map(|(l, theirs, ours, _)| (l, theirs, ours)).chain(families)
        {
            let sig = sigs.iter().find(|s| s.name == *layer).unwrap_or_else(|| panic!("there is a {layer}"));
            assert!(sig.attrs.iter().all(|a| a.name != *theirs), "{layer} has {theirs} itself");
            let known = ours.is_none_or(|ours| sig.attrs.iter().any(|a| a.name == ours));
            assert!(known, "{layer} has {ours:?}");
        }
    }
}
