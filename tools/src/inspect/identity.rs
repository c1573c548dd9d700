//! `florin inspect identity`.

use std::path::Path;

use florin_engine::format::identity::IDENTITY_BYTES;
use serde::Serialize;

use super::{View, line};
use crate::directory::{Directory, IDENTITY_COPIES, state_word};
use crate::time::rfc3339;

/// Which directory this is.
#[derive(Debug, Serialize)]
pub(super) struct IdentityView<'a> {
    directory: &'a Path,
    file: &'static str,
    file_bytes: Option<u64>,
    copies: Vec<CopyView>,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct CopyView {
    copy: &'static str,
    position: u64,
    state: &'static str,
    problem: Option<String>,
    contents: Option<Contents>,
}

#[derive(Debug, Serialize)]
struct Contents {
    directory_id: String,
    shard_count: u16,
    created: String,
}

/// Both copies.
pub(super) fn view(directory: &Directory) -> IdentityView<'_> {
    let copies = directory.copies.iter().zip(IDENTITY_COPIES).zip([0, IDENTITY_BYTES as u64]);
    let copies = copies.map(|((stored, copy), position)| CopyView {
        copy,
        position,
        state: state_word(stored),
        problem: stored.problem(),
        contents: stored.present().map(|identity| Contents {
            directory_id: identity.directory_id.to_string(),
            shard_count: identity.shard_count,
            created: rfc3339(identity.created),
        }),
    });
    let problem = directory.identity().is_none().then(|| match &directory.identity_bytes {
        Err(error) => format!("no identity: {error}"),
        Ok(_) => format!("{}: no copy of the identity can be relied on", directory.path.display()),
    });
    IdentityView {
        directory: &directory.path,
        file: "identity",
        file_bytes: directory.identity_bytes.as_ref().ok().copied(),
        copies: copies.collect(),
        problem,
    }
}

impl View for IdentityView<'_> {
    fn render(&self, out: &mut String) {
        line(out, &format!("{}", self.directory.display()));
        for CopyView { copy, position, state, problem, contents } in &self.copies {
            line(out, &format!("  {copy} copy at byte {position} of {}: {state}", self.file));
            if let Some(problem) = problem {
                line(out, &format!("    {problem}"));
            }
            if let Some(Contents { directory_id, shard_count, created }) = contents {
                line(out, &format!("    directory id  {directory_id}"));
                line(out, &format!("    shards        {shard_count}"));
                line(out, &format!("    created       {created}"));
            }
        }
    }

    fn problem(&self) -> Option<String> {
        self.problem.clone()
    }
}
