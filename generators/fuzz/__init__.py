"""A fuzzing campaign: schedule, sequences, shards. Begin with `coordinator` (`Campaign`) and `worker` (`run_shard`)."""
