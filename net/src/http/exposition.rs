//! Counters and latencies as Prometheus reads them: a snapshot in families, encoded by its library.

use std::fmt::Error;

use florin_engine::model::{Realtime, ShardId};
use florin_engine::shard::HeldBack;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::rows::{EXECUTOR_ROWS, SHARD_ROWS};
use super::stages::Stages;
use crate::protocol::ShardState;
use crate::protocol::api::APIS;
use crate::server::shared::ServerShared;

type Labels = Vec<(&'static str, String)>;

/// The quantiles that are told of each stage; 1 is the maximum.
const QUANTILES: [(&str, f64); 5] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99), ("0.999", 0.999), ("1", 1.0)];
const NANOSECONDS_PER_SECOND: f64 = 1e9;

#[derive(Clone, Copy, Debug)]
enum Value {
    Count(u64),
    Level(f64),
}

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

#[derive(Debug)]
struct Snapshot(Vec<Family>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for family in &self.0 {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.samples {
                let sample = metric.encode_family(labels)?;
                match *value {
                    Value::Count(count) => ConstCounter::new(count).encode(sample)?,
                    Value::Level(level) => ConstGauge::new(level).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

/// Everything there is to tell, in the text format of OpenMetrics.
pub(super) fn text(shared: &ServerShared, stages: &Stages, held_back: &[(ShardId, HeldBack)]) -> Result<String, Error> {
    let mut families = shard_families(shared);
    families.extend(executor_families(shared));
    families.extend(stage_families(stages));
    families.push(held_back_family(held_back, florin_engine::io::host::now().realtime));
    let mut registry = Registry::with_prefix("florin");
    registry.register_collector(Box::new(Snapshot(families)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn shard_families(shared: &ServerShared) -> Vec<Family> {
    let each = |value: &dyn Fn(&crate::server::shared::SharedShard) -> u64, kind| {
        let samples = shared.shards.iter().enumerate();
        samples.map(|(number, shard)| (vec![("shard", number.to_string())], of_kind(kind, value(shard)))).collect()
    };
    let mut families: Vec<_> = SHARD_ROWS
        .iter()
        .map(|(name, help, kind, counter)| Family {
            name,
            help,
            kind: *kind,
            samples: each(&|shard| counter(&shard.counters).get(), *kind),
        })
        .collect();
    families.push(Family {
        name: "shard_serving",
        help: "1 while the shard takes captures.",
        kind: MetricType::Gauge,
        samples: each(&|shard| u64::from(shard.state() == ShardState::Serving), MetricType::Gauge),
    });
    families
}

fn executor_families(shared: &ServerShared) -> Vec<Family> {
    let executors = || shared.executors.iter().enumerate().map(|(number, of)| (number.to_string(), &of.counters));
    let mut families: Vec<_> = EXECUTOR_ROWS
        .iter()
        .map(|(name, help, kind, counter)| Family {
            name,
            help,
            kind: *kind,
            samples: executors()
                .map(|(number, counters)| (vec![("executor", number)], of_kind(*kind, counter(counters).get())))
                .collect(),
        })
        .collect();
    let requests = executors().flat_map(|(number, counters)| {
        APIS.iter().zip(&counters.requests).map(move |(api, count)| {
            let labels = vec![("executor", number.clone()), ("api", api.name().to_owned())];
            (labels, Value::Count(count.get()))
        })
    });
    families.push(Family {
        name: "requests",
        help: "Requests, by api.",
        kind: MetricType::Counter,
        samples: requests.collect(),
    });
    families
}

/// Who holds which partition back, and for how long.
fn held_back_family(held_back: &[(ShardId, HeldBack)], now: Realtime) -> Family {
    let sample = |(shard, HeldBack { partition, oldest }): &(ShardId, HeldBack)| {
        let labels = vec![
            ("shard", shard.0.to_string()),
            ("topic", partition.topic.0.to_string()),
            ("partition", partition.index.to_string()),
            ("transaction", oldest.transaction.to_string()),
        ];
        (labels, Value::Level(now.since_ns(oldest.since) as f64 / NANOSECONDS_PER_SECOND))
    };
    Family {
        name: "partition_held_back_seconds",
        help: "How long the oldest open transaction of a partition has kept readers of what is committed waiting; those \
               held back for longest.",
        kind: MetricType::Gauge,
        samples: held_back.iter().map(sample).collect(),
    }
}

fn stage_families(stages: &Stages) -> Vec<Family> {
    let mut quantiles = Vec::new();
    let mut counts = Vec::new();
    for stage in stages.all() {
        let labels = vec![("shard", stage.shard.to_string()), ("stage", stage.name.to_owned())];
        counts.push((labels.clone(), Value::Count(stage.count)));
        for (name, quantile) in QUANTILES {
            let mut labels = labels.clone();
            labels.push(("quantile", name.to_owned()));
            quantiles.push((labels, Value::Level(seconds(stage.recent.value_at_quantile(quantile)))));
        }
    }
    vec![
        Family {
            name: "stage_seconds",
            help: "Latency over the last one to two minutes: queue (the first entry of a block until its write \
                   begins), write (a block's write), ack (a whole frame until its answer).",
            kind: MetricType::Gauge,
            samples: quantiles,
        },
        Family {
            name: "stage_observations",
            help: "Measurements of a stage since the start.",
            kind: MetricType::Counter,
            samples: counts,
        },
    ]
}

fn of_kind(kind: MetricType, value: u64) -> Value {
    match kind {
        MetricType::Counter => Value::Count(value),
        _ => Value::Level(level(value)),
    }
}

/// A gauge's number; above 2^53 its last digits are lost.
#[allow(clippy::cast_precision_loss, reason = "gauges are for people to look at")]
fn level(value: u64) -> f64 {
    value as f64
}

fn seconds(nanoseconds: u64) -> f64 {
    level(nanoseconds) / NANOSECONDS_PER_SECOND
}
