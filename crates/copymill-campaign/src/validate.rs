//! Reads a campaign file and says everything that is wrong with it at once, each with line, column and key.
//!
//! YAML becomes a tree that remembers positions; the tree is checked against the JSON Schema of [`CampaignFile`],
//! then read into it, then the rules between keys are checked. What depends on the audience's columns follows in
//! [`check_columns`]. No IO: later stages report missing files through [`ParsedCampaign::problem`].

mod columns;
mod init;
mod inline;
mod key_path;
mod near;
mod problem;
mod rules;
mod scalar;
mod schema;
mod schema_error;
mod tree;

pub use columns::check_columns;
pub use init::init_campaign;
pub use inline::{inline_campaign_schema, parse_inline_campaign};
pub use near::nearest;
pub use problem::{Problem, Problems};
pub use schema::{campaign_schema, inline_job_schema};

use std::collections::HashSet;

use crate::CampaignFile;
use key_path::KeyPath;
use tree::Tree;

/// A campaign file that holds together, with the positions of its keys.
#[derive(Debug, Clone)]
pub struct ParsedCampaign {
    /// What the file says, defaults filled in.
    pub file: CampaignFile,
    path: String,
    tree: Tree,
}

/// What a campaign file's text gives.
#[derive(Debug)]
pub struct Inspection {
    /// The campaign, where it can be understood in spite of its problems: keys that nobody knows and values that are
    /// not allowed are left out. It is there so that columns can be checked too and all problems come at once.
    pub parsed: Option<ParsedCampaign>,
    /// What is wrong, in no order.
    pub problems: Vec<Problem>,
}

/// Reads a campaign file's text; any problem is an error. `path` is what problems call the file.
pub fn parse_campaign(text: &str, path: &str) -> Result<ParsedCampaign, Problems> {
    match inspect_campaign(text, path) {
        Inspection { parsed: Some(parsed), problems } if problems.is_empty() => Ok(parsed),
        Inspection { problems, .. } => Err(Problems::new(problems)),
    }
}

/// Reads a campaign file's text as far as it can be understood.
pub fn inspect_campaign(text: &str, path: &str) -> Inspection {
    match tree::read(text, path) {
        Ok((tree, problems)) => inspect_tree(tree, path, problems),
        Err(problems) => Inspection { parsed: None, problems: problems.into_iter().collect() },
    }
}

/// Checks what was read; `problems` are those that reading found.
fn inspect_tree(tree: Tree, path: &str, mut problems: Vec<Problem>) -> Inspection {
    let report = schema_error::check(&tree, path);
    // What stands in the place of a value that YAML itself had trouble with is no news.
    let known: HashSet<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    problems.extend(report.problems.into_iter().filter(|problem| !known.contains(&problem.key)));
    let file = serde_json::from_value::<CampaignFile>(report.readable);
    let parsed = match file {
        Ok(file) => Some(ParsedCampaign { file, path: path.to_owned(), tree }),
        Err(error) if problems.is_empty() => {
            problems.push(tree.problem(path, &KeyPath::root(), error.to_string()));
            None
        }
        Err(_) => None,
    };
    problems.extend(parsed.iter().flat_map(rules::check));
    Inspection { parsed, problems }
}

impl ParsedCampaign {
    /// Returns line and column, both counted from 1, of a key such as `audience.fields[1]`.
    ///
    /// A key that the file does not have is where the nearest key above it is.
    pub fn position(&self, key: &str) -> (usize, usize) {
        self.tree.position(key)
    }

    /// Makes a problem with a key, for stages that find out more than this one can.
    pub fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let (line, column) = self.position(key);
        Problem { path: self.path.clone(), line, column, key: key.to_owned(), message: message.into() }
    }
}
