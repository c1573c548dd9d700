//! Breaks the engine on purpose, one rule at a time, and demands that the simulator notices.
//!
//! Each canary is an edit of the production source, applied to a copy of the workspace, so nothing in production
//! code knows of it. A canary that goes unnoticed, or whose source has changed so that the edit no longer applies,
//! fails the run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Parser;

/// A rule that is broken.
struct Canary {
    name: &'static str,
    /// File below `engine/src`, what stands there once, and what stands there instead.
    edits: &'static [(&'static str, &'static str, &'static str)],
}

const CANARIES: [Canary; 20] = [
    Canary {
        name: "an ack leaves before its block is durable",
        edits: &[(
            "shard/durable.rs",
            "if depends_on <= self.journal.marks().durable() {",
            "if depends_on <= self.journal.marks().appended() {",
        )],
    },
    Canary {
        name: "a duplicate is answered before its original is durable",
        edits: &[(
            "shard/capture.rs",
            "return self.answer_when_durable(id, receipt.sequence, reply);",
            "return self.answer(id, reply);",
        )],
    },
    Canary {
        name: "a ring file is used again while its batches are needed",
        edits: &[("shard/checkpointing.rs", ".filter(|file| !self.is_needed(*file))", ".filter(|_| true)")],
    },
    Canary {
        name: "a ring file is written before a superblock calls it open",
        edits: &[("journal/ring.rs", "        self.slot(file).opened\n", "        self.slot(file).file.lap.0 > 0\n")],
    },
    Canary {
        name: "a stale block is accepted after a cut",
        edits: &[
            (
                "shard/open.rs",
                "let active = if old.clean { recovery.tail_file } else { last_resort(&recovery, &state) };",
                "let active = recovery.tail_file;",
            ),
            ("shard/open.rs", "files::clear_tail(&files, &old, file, end).await?;", "let _ = (file, end);"),
            (
                "journal/decision.rs",
                "Row { header: BLOCK, age: &[Age::Older], verdict: Verdict::Stale, ..ANY }",
                "Row { header: BLOCK, age: &[Age::None], verdict: Verdict::Stale, ..ANY }",
            ),
            (
                "journal/decision.rs",
                "link: &[Link::Broken, Link::Unknown], verdict: Verdict::Damage(Harm::ChainBroken)",
                "link: &[Link::Unknown], verdict: Verdict::Damage(Harm::ChainBroken)",
            ),
        ],
    },
    Canary {
        name: "the retry window holds one batch instead of five",
        edits: &[("limits.rs", "PRODUCER_WINDOW_BATCHES: usize = 5;", "PRODUCER_WINDOW_BATCHES: usize = 1;")],
    },
    Canary {
        name: "a short write is ignored",
        edits: &[(
            "shard/driver.rs",
            "let result = file.write_durable(buffer, write.place.position).await.result;",
            "let result = file.write_durable(buffer, write.place.position).await.result.or_else(|error| match error.kind { crate::io::DiskErrorKind::Short { .. } => Ok(()), _ => Err(error) });",
        )],
    },
    Canary {
        name: "a failed write is tried again",
        edits: &[(
            "shard/driver.rs",
            "let result = file.write_durable(buffer, write.place.position).await.result;",
            "let mut written = file.write_durable(buffer, write.place.position).await; if written.result.is_err() { written = file.write_durable(written.buffer, write.place.position).await; } let result = written.result;",
        )],
    },
    Canary {
        name: "a producer's state is lost at a checkpoint",
        edits: &[(
            "shard/checkpointing.rs",
            "self.partitions[&id].producers().encode(&mut out);",
            "crate::producer::ProducerTable::default().encode(&mut out);",
        )],
    },
    Canary {
        name: "a topic is shown as altered before its owners have taken it over",
        edits: &[(
            "catalogue/owner.rs",
            "live.map(|(_, topic)| &topic.descriptor)",
            "live.map(|(_, topic)| topic.wanted())",
        )],
    },
    Canary {
        name: "a superblock counts when the newest copy alone has it",
        edits: &[(
            "journal/write.rs",
            "        self.write_copy(superblock, first.other()).await\n",
            "        Ok(())\n",
        )],
    },
    Canary {
        name: "a manifest names a segment file before its name is durable",
        edits: &[("segment/write.rs", "if plan.files.iter().any(|file| file.is_new)", "if plan.files.is_empty()")],
    },
    Canary {
        name: "a segment file counts before it is synced",
        edits: &[("segment/write.rs", "    file.sync().await?;\n    Ok(index_bytes)\n", "    Ok(index_bytes)\n")],
    },
    Canary {
        name: "a segment file is removed while a superblock names it",
        edits: &[("segment/table.rs", "&& entry.pin_count == 0 && !entry.named &&", "&& entry.pin_count == 0 &&")],
    },
    Canary {
        name: "an index is misaligned, as a torn tail would leave it",
        edits: &[(
            "segment/write.rs",
            "    entries.extend(new);\n",
            "    entries.extend(new.into_iter().map(|entry| IndexEntry { extent_bytes: 4096, ..entry }));\n",
        )],
    },
    Canary {
        name: "padding is served as data",
        edits: &[
            (
                "format/extent.rs",
                "let batch = bytes.slice(at..end);",
                "let batch = bytes.slice(at..if next_offset == head.next_offset { total } else { end });",
            ),
            (
                "format/extent.rs",
                "match check_batch(&batch, base_offset, next_offset, entry.crc.get()) {",
                "match Ok::<(), String>(()) {",
            ),
        ],
    },
    Canary {
        name: "a cut is shown before its checkpoint is in force",
        edits: &[(
            "partition.rs",
            "    pub fn start_offset(&self) -> Offset {\n        self.start_offset\n",
            "    pub fn start_offset(&self) -> Offset {\n        self.cut_ahead.map_or(self.start_offset, |cut| self.start_offset.max(cut.to))\n",
        )],
    },
    Canary {
        name: "records go before they were kept for as long as they must be",
        edits: &[(
            "partition/retention.rs",
            "let aged = retention.ns.is_some_and(|ns| now.since_ns(piece.append_time) >= ns);",
            "let aged = retention.ns.is_some_and(|ns| now.since_ns(piece.append_time) >= ns / 4);",
        )],
    },
    Canary {
        name: "a repair gives out offsets again that lost blocks may have held",
        edits: &[(
            "partition/salvage.rs",
            "let next_offset = self.next_offset.plus(more);",
            "let _ = more; let next_offset = self.next_offset;",
        )],
    },
    Canary {
        name: "a repair makes a ring file anew before it is in force",
        edits: &[(
            "shard/repair/carry_out.rs",
            "        let mut writer = SalvageWriter::new(",
            "        self.missing.make_last(disk, &directory, &self.chosen.superblock).await?;\n        let mut writer = SalvageWriter::new(",
        )],
    },
];

/// Builds one deliberately broken engine after another and demands that the simulator notices each.
#[derive(Parser)]
struct Arguments {
    /// Seeds to play for each canary before it counts as unnoticed.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Only canaries whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canaries: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests crate lies in the workspace")?;
    let copy = root.join("target/canaries/workspace");
    let chosen = |canary: &&Canary| arguments.only.as_ref().is_none_or(|part| canary.name.contains(part.as_str()));
    let mut unnoticed = Vec::new();
    for canary in CANARIES.iter().filter(chosen) {
        copy_workspace(root, &copy)?;
        for (file, find, replace) in canary.edits {
            edit(&copy.join("engine/src").join(file), find, replace)
                .with_context(|| format!("canary {:?}", canary.name))?;
        }
        let binary = build(&copy, &root.join("target/canaries/build"))?;
        match sing(&binary, arguments.seeds)? {
            Some(noticed) => println!("noticed: {}: {noticed}", canary.name),
            None => unnoticed.push(canary.name),
        }
    }
    ensure!(unnoticed.is_empty(), "unnoticed within {} seeds each: {unnoticed:?}", arguments.seeds);
    Ok(())
}

/// A fresh copy of the crates that the simulator is made of. Files that did not change keep their times, so that
/// only what differs is compiled again.
fn copy_workspace(root: &Path, copy: &Path) -> anyhow::Result<()> {
    for name in ["engine", "net", "tests"] {
        copy_folder(&root.join(name), &copy.join(name))?;
    }
    for name in ["Cargo.lock", "clippy.toml"] {
        put(&copy.join(name), &std::fs::read(root.join(name)).with_context(|| name.to_owned())?)?;
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml")?;
    let members = manifest.lines().find(|line| line.starts_with("members")).context("Cargo.toml has members")?;
    put(
        &copy.join("Cargo.toml"),
        manifest.replace(members, "members = [\"engine\", \"net\", \"tests\", \"tests/harness\"]").as_bytes(),
    )
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for item in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_folder(&item.path(), &target)?;
        } else {
            put(&target, &std::fs::read(item.path())?)?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "files of a workspace copy, not of a data directory")]
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

fn edit(path: &Path, find: &str, replace: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let count = text.matches(find).count();
    ensure!(count == 1, "{find:?} stands {count} times in {}: adapt the canary to the code", path.display());
    put(path, text.replace(find, replace).as_bytes())
}

fn build(copy: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--profile", "canary", "-p", "florin-tests", "--bin", "simulate", "--target-dir"])
        .arg(target)
        .current_dir(copy)
        .output()
        .context("run cargo")?;
    if !output.status.success() {
        bail!("the broken engine does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(target.join("canary/simulate"))
}

/// Runs the simulator on the broken engine; the line that says what it noticed.
fn sing(binary: &Path, seeds: u64) -> anyhow::Result<Option<String>> {
    let output = Command::new(binary).args(["--seeds", &seeds.to_string()]).output().context("run the simulator")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(" broke "));
    match (output.status.success(), line) {
        (true, _) => Ok(None),
        (false, Some(line)) => Ok(Some(line.to_owned())),
        (false, None) => {
            bail!("the simulator failed without a word:\n{text}{}", String::from_utf8_lossy(&output.stderr))
        }
    }
}
