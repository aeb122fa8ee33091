//! The pre-tokenizers of byte-level vocabularies, by the name in `tokenizer.ggml.pre`.
//!
//! The patterns are those of llama.cpp's `llama-vocab.cpp`, which cut words before pairs are merged. They are applied
//! one after the other, each to every piece that the one before left. A name that is not here is refused: a wrong
//! pattern yields plausible ids that the model was never trained on.

/// How text of one vocabulary family is cut, and what that family implies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreTokenizer {
    /// Regular expressions, applied in order.
    patterns: &'static [&'static str],
    /// Whether a piece that is a token is taken whole, without merging.
    pub(crate) ignores_merges: bool,
    /// Whether prompts begin with BOS where the file does not say.
    pub(crate) adds_bos: bool,
}

impl PreTokenizer {
    /// The regular expressions with letters, numbers and the like as Unicode 15 has them.
    ///
    /// That is the version of llama.cpp's tables; characters that are newer are of no category there.
    pub(crate) fn patterns_of_unicode_15(&self) -> impl Iterator<Item = String> {
        let dated = |pattern: &&str| {
            ["L", "N", "P", "M", "S"].iter().fold((*pattern).to_owned(), |pattern, category| {
                let of_any_age = format!(r"\p{{{category}}}");
                pattern.replace(&of_any_age, &format!(r"[{of_any_age}&&\p{{age:15.1}}]"))
            })
        };
        self.patterns.iter().map(dated)
    }

    /// Finds the pre-tokenizer that a file names; none where its exact pattern is not known here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let plain = |patterns| Self { patterns, ignores_merges: false, adds_bos: false };
        Some(match name {
            "" | "default" => plain(&DEFAULT),
            "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0"
            | "lfm2" => Self { patterns: &LLAMA3, ignores_merges: true, adds_bos: true },
            "dbrx" | "smaug-bpe" | "chatglm-bpe" => plain(&LLAMA3),
            "glm4" | "glm5" => Self { ignores_merges: true, ..plain(&LLAMA3) },
            "tekken" => Self { patterns: &TEKKEN, ignores_merges: true, adds_bos: true },
            "minicpm5" => Self { ignores_merges: true, ..plain(&MINICPM5) },
            "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => plain(&GPT4O),
            "gpt-2" | "phi-2" | "gigachat" | "a.x-4.0" | "mellum" | "exaone4" | "mpt" | "olmo" | "jais"
            | "trillion" | "granite-docling" => plain(&GPT2),
            "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b"
            | "mellum2" => plain(&STARCODER),
            "qwen2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "stablelm2" | "hunyuan" | "solar-open"
            | "megrez" | "grok-2" => plain(&QWEN2),
            "qwen35" => plain(&QWEN35),
            "ufakzeka" => plain(&UFAKZEKA),
            "deepseek-llm" => plain(&DEEPSEEK_LLM),
            "deepseek-coder" => plain(&DEEPSEEK_CODER),
            "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => plain(&DEEPSEEK_V3),
            "falcon" => plain(&FALCON),
            "bloom" | "gpt3-finnish" | "poro-chat" => plain(&BLOOM),
            "viking" => plain(&VIKING),
            "bailingmoe" | "bailingmoe2" | "llada-moe" => plain(&BAILING),
            "seed-coder" => plain(&SEED_CODER),
            _ => return None,
        })
    }
}

const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// English contractions in any case, for `concat!`.
macro_rules! contractions {
    () => {
        r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    };
}

/// Runs of line ends and of other white space, for `concat!`.
macro_rules! white_space {
    () => {
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}

const DEFAULT: [&str; 4] = [r"[\p{P}$+<=>^~|]+", GPT2_WORDS, r"\p{N}+", r"[0-9][0-9][0-9]"];
const GPT2: [&str; 1] = [GPT2_WORDS];
const STARCODER: [&str; 2] = [r"\p{N}", GPT2_WORDS];
const FALCON: [&str; 3] = [r"[\p{P}$+<=>^~|`]+", GPT2_WORDS, r"[0-9][0-9][0-9]"];

const LLAMA3: [&str; 1] = [concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*",
    white_space!()
)];
const QWEN2: [&str; 1] =
    [concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*", white_space!())];
const QWEN35: [&str; 1] = [concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
    white_space!()
)];
const UFAKZEKA: [&str; 1] =
    [concat!(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*", white_space!())];
const MINICPM5: [&str; 2] = [
    r"\p{N}{1,3}",
    concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*", white_space!()),
];
const SEED_CODER: [&str; 1] =
    [concat!(contractions!(), r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+", white_space!())];
const BAILING: [&str; 1] = [concat!(
    r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)];

// llama.cpp tells the case of ASCII letters only; the classes below say the same without its look-aheads.
const TEKKEN: [&str; 1] = [concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    white_space!()
)];
const GPT4O: [&str; 1] = [concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]*[\p{L}&&[^A-Z]]+",
    contractions!(),
    r"?|[^\r\n\p{L}\p{N}]?[\p{L}&&[^a-z]]+[\p{L}&&[^A-Z]]*",
    contractions!(),
    r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    white_space!()
)];

const DEEPSEEK_V3: [&str; 3] = [
    r"\p{N}{1,3}",
    r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+",
    concat!(
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##,
        r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
        white_space!()
    ),
];
const DEEPSEEK_CODER: [&str; 5] = [
    r"[\r\n]",
    r"\s?\p{L}+",
    r"\s?\p{P}+",
    r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+",
    r"\p{N}",
];
const DEEPSEEK_LLM: [&str; 6] = [
    r"[\r\n]",
    DEEPSEEK_LLM_LETTERS,
    // Without U+3000, which the authors have: llama.cpp looks at white space as such only.
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3001}\x{3002}]+",
    r"\s+$",
    r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+",
    r"\p{N}+",
];

/// Letters of scripts with case, spelled out as the model's authors did.
const DEEPSEEK_LLM_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}",
    r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}",
    r"\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}",
    r"\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}",
    r"\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}",
    r"\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}",
    r"\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}",
    r"\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}",
    r"\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}",
    r"\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}",
    r"\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}",
    r"\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}",
    r"\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}",
    r"]+",
);

const BLOOM_WORDS: &str = r" ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+";
const BLOOM: [&str; 1] = [BLOOM_WORDS];
const VIKING: [&str; 2] = [BLOOM_WORDS, r"\p{N}"];
