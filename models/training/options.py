"""Options of the training loop, the same for every task family. No torch in here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Options(BaseModel):
    """Frozen options that refuse unknown names; each field's docstring is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class OptimizerOptions(Options):
    """AdamW (Loshchilov and Hutter, 2019)."""

    lr: float = Field(1e-3, gt=0.0)
    """Peak learning rate. 1e-3 suits training from scratch, 1e-4 to 2e-4 published weights."""
    backbone_lr_factor: float = Field(1.0, ge=0.0)
    """The backbone's learning rate as a share of `lr`; 0.1 is usual for a pretrained backbone, 0
    freezes it."""
    weight_decay: float = Field(1e-4, ge=0.0)
    """Decoupled weight decay. Biases and normalisation layers are never decayed."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay rates of the first and the second moment."""


class ScheduleOptions(Options):
    """How the learning rate moves: a linear warm-up, then the named shape."""

    name: Literal["cosine", "linear", "constant", "multistep", "onecycle", "plateau"] = "cosine"
    """Shape after the warm-up. `onecycle` (Smith and Topin, 2018) is `cosine` whose warm-up is half
    a cosine too, from a 25th of the peak; give it a `warmup` of about 0.3. `plateau` multiplies the
    rate by `gamma` when the validation figure stands still."""
    warmup: Fraction = 0.05
    """Share of all optimizer steps over which the rate rises from near 0 to `optimizer.lr`."""
    final: Fraction = 0.01
    """Rate at the last step as a share of the peak, for `cosine`, `onecycle` and `linear`."""
    milestones: tuple[Fraction, ...] = (0.7, 0.9)
    """For `multistep`: shares of all steps at which the rate is multiplied by `gamma`."""
    gamma: Fraction = 0.1
    """For `multistep` and `plateau`: the factor at each milestone or plateau."""
    plateau: int = Field(5, ge=1)
    """For `plateau`: validations without a better figure before the rate falls."""


class EmaOptions(Options):
    """Exponential moving average of the weights: what is validated and shipped."""

    decay: Fraction = 0.995
    """Share of the old average kept at each step; 0 switches averaging off. 0.995 suits a few
    thousand steps, 0.9999 some hundred thousand."""
    warmup: int = Field(100, ge=0)
    """Steps after which the decay has reached 63 % of its value: decay * (1 - exp(-step/warmup)).
    0 takes the full decay at once."""


class CacheOptions(Options):
    """Decoded pictures at the network's input size, kept from epoch to epoch."""

    where: Literal["memory", "disk", "none"] = "memory"
    """Where they are kept: `memory`, a file on `disk` beside the checkpoints (gone when training
    ends, also when it is killed), or `none`: each picture is decoded in each epoch. Loader
    processes share them where processes can be forked (not on Windows)."""
    mb: int = Field(2048, ge=0)
    """Room for them in MiB, for both splits and all processes on this machine together; pictures
    beyond it are decoded anew in each epoch."""


class FinetuneOptions(Options):
    """A short training that starts from a trained network's weights."""

    epochs: int = Field(3, ge=1)
    """Passes over the training split."""
    lr: float = Field(5e-5, gt=0.0)
    """Peak learning rate: far lower than what the network was trained with."""
    batch_size: int = Field(8, ge=1)
    """Pictures in one forward pass."""
    max_steps: int = Field(0, ge=0)
    """Ends it after so many steps; 0 is no cap."""


class TrainingOptions(Options):
    """What the loop needs to know; a family's options extend it."""

    epochs: int = Field(50, ge=1)
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = 8
    """Pictures in one forward pass, on each device. `auto`: on a GPU the largest power of two, 256
    at most, whose training step fits with a fifth of the memory to spare, found by trial; on a CPU
    8. The learning rate isn't scaled with it."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are summed before one optimizer step; a smaller rest at the end of
    an epoch gets a step of its own, weighted by its size."""
    clip: float = Field(1.0, ge=0.0)
    """Largest norm of all gradients together; 0 switches clipping off."""
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    """Arithmetic of the forward and backward pass; weights stay float32. `auto`: bf16 where the
    device computes in it (on a CPU: AVX-512 BF16 or AMX), else fp16 on a GPU and float32 on a
    CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; `auto` takes a CUDA GPU if there is one."""
    devices: int = Field(1, ge=1, le=64)
    """Processes on this machine that train one model together, each on a GPU of its own or, with
    device=cpu, on a share of the cores; each takes `batch_size` pictures a batch. torchrun does
    the same from outside."""
    nodes: int = Field(1, ge=1, le=64)
    """Machines that train one model together, each with `devices` processes: further agents of the
    task's queue, as many as that must be free at once. Only for a task that an agent runs."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Every random choice is a function of the seed, the epoch and the picture or step."""
    threads: int = Field(0, ge=0)
    """CPU threads that compute; 0 takes one for each core. Several threads wait for each other
    hundreds of times a step: on cores that others use too, one thread is faster than two. The last
    bits of the weights depend on it."""
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that load pictures; 0 loads in the training process. `auto`: 0 on a CPU, where
    they would take cores from the network, else one for each core but one, 8 at most."""
    validate_every: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    """Epochs between validations; the last epoch is always validated. `auto`: 5 where epochs are
    very short, down to 1 from about 95 batches on: round(5 * exp(-batches / 40)), at least 1."""
    patience: int = Field(0, ge=0)
    """Early stopping: validations without a better figure before training ends; 0 never stops."""
    checkpoint_every: int = Field(1, ge=1)
    """Epochs between checkpoints; the last epoch always has one."""
    checkpoint_steps: int = Field(0, ge=0)
    """Optimizer steps between further checkpoints inside an epoch; 0 has none. For long epochs."""
    label_smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of each class target that is spread evenly over all classes; 0.1 is usual."""
    sync_batch_norm: bool = False
    """Batch norm over the pictures of all GPUs that train together, for small batches."""
    max_steps: int = Field(0, ge=0)
    """Ends training after so many optimizer steps, and lets the schedule end there; 0 is no cap.
    For fast development runs."""
    max_minutes: float = Field(0.0, ge=0.0)
    """Ends training after so many minutes, those before a resume included; 0 is no limit. Where
    it cuts depends on the machine's speed, so two such runs differ."""
    optimizer: OptimizerOptions = OptimizerOptions()
    """The optimizer."""
    schedule: ScheduleOptions = ScheduleOptions()
    """The learning rate over time."""
    ema: EmaOptions = EmaOptions()
    """Averaged weights."""
    cache: CacheOptions = CacheOptions()
    """Decoded pictures."""

    @model_validator(mode="after")
    def _cpu_has_no_fp16(self) -> TrainingOptions:
        if self.precision == "fp16" and self.device == "cpu":
            raise ValueError("precision=fp16 needs a GPU; on device=cpu use bf16 or float32")
        return self
