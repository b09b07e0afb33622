//! Dev-dependency only: the simulated world, dialogue and scenario runner, mail builder.
