"""Trains the ONNX baseline, a two-level U-Net of 17,000 weights, and writes unet.onnx.tar.

    cargo run -p lesion-phantom -- train PHANTOMS
    python3 -m venv venv && venv/bin/pip install torch==2.15.0 onnx==1.23.2 numpy
    venv/bin/python challenges/lesion-phantom/baselines/onnx/train.py PHANTOMS

It learns from the phantoms of the generator's set `train` and from nothing else. Everything is seeded and runs on one
thread: on one machine the same bytes come out again. On another processor the last bits of the sums differ, and with
them the weights and the digest.
"""

import csv
import pathlib
import sys

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
import nifti  # noqa: E402
import onnx_bundle  # noqa: E402

SEED = 20261128
STEPS = 320
PATCH = (32, 48, 48)
# Hounsfield units: cut to this range, then centred on the organ.
CLIP, MEAN, STD = (-100.0, 260.0), 60.0, 50.0
MANIFEST = {
    "schema": "fiel/onnx-manifest/v1",
    "images": [{"port": "ct", "tensor": "ct", "dtype": "f32", "clip": CLIP, "mean": MEAN, "std": STD}],
    "window": {
        "layout": "ncdhw",
        "axes": "zyx",
        "patch": PATCH,
        "overlap": [8, 32, 32],
        "blend": "gaussian",
        "pad": (CLIP[0] - MEAN) / STD,
    },
    "masks": [{"port": "lesions", "tensor": "logits", "activation": "sigmoid", "channel": 0, "threshold": 0.5}],
}


class Net(nn.Module):
    """Two levels, 8 and 16 channels."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv3d(1, 8, 3, padding=1)
        self.enter_norm = nn.InstanceNorm3d(8, affine=True)
        self.left = nn.Conv3d(8, 8, 3, padding=1)
        self.left_norm = nn.InstanceNorm3d(8, affine=True)
        self.down = nn.Conv3d(8, 16, 3, padding=1)
        self.down_norm = nn.InstanceNorm3d(16, affine=True)
        self.deep = nn.Conv3d(16, 16, 3, padding=1)
        self.deep_norm = nn.InstanceNorm3d(16, affine=True)
        self.up = nn.ConvTranspose3d(16, 8, 2, stride=2)
        self.right = nn.Conv3d(16, 8, 3, padding=1)
        self.right_norm = nn.InstanceNorm3d(8, affine=True)
        self.leave = nn.Conv3d(8, 1, 1)

    def forward(self, image):
        x = functional.relu(self.enter_norm(self.enter(image)))
        side = functional.relu(self.left_norm(self.left(x)))
        x = functional.max_pool3d(side, 2)
        x = functional.relu(self.down_norm(self.down(x)))
        x = functional.relu(self.deep_norm(self.deep(x)))
        x = torch.cat([side, self.up(x)], 1)
        x = functional.relu(self.right_norm(self.right(x)))
        return self.leave(x)


def phantoms(folder):
    """Images, normalised as the manifest says, and masks."""
    cases = []
    with open(folder / "cases.csv", newline="") as file:
        for row in csv.DictReader(file):
            image = nifti.read(folder / row["ct"])[1].astype("f4")
            image = (image.clip(*CLIP) - numpy.float32(MEAN)) / numpy.float32(STD)
            cases.append((image, nifti.read(folder / row["lesions"])[1].astype("f4")))
    return cases


def window(case, random):
    """A random window, mirrored at random."""
    image, mask = case
    start = [random.integers(size - part + 1) for size, part in zip(image.shape, PATCH)]
    place = tuple(slice(at, at + part) for at, part in zip(start, PATCH))
    flips = [axis for axis in range(3) if random.random() < 0.5]
    cut = [numpy.flip(volume[place], flips) if flips else volume[place] for volume in (image, mask)]
    return [torch.from_numpy(numpy.ascontiguousarray(volume))[None, None] for volume in cut]


def loss_of(logits, mask):
    chance = torch.sigmoid(logits)
    dice = 1 - (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, mask) + dice


def train(cases):
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    random = numpy.random.default_rng(SEED)
    net = Net()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=STEPS)
    running = 0.0
    for step in range(STEPS):
        image, mask = window(cases[random.integers(len(cases))], random)
        optimiser.zero_grad()
        loss = loss_of(net(image), mask)
        loss.backward()
        optimiser.step()
        schedule.step()
        running = 0.95 * running + 0.05 * loss.item() if step else loss.item()
        if step % 20 == 19:
            print(f"step {step + 1} of {STEPS}, loss {running:.3f}", flush=True)
    return net


class Graph:
    """An ONNX graph, written node by node: no exporter chooses operators for us."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def weigh(self, name, tensor):
        self.weights.append(numpy_helper.from_array(tensor.detach().numpy(), name))
        return name

    def conv(self, net, name, source, operator="Conv", **attributes):
        part = getattr(net, name)
        weights = [self.weigh(f"{name}.weight", part.weight), self.weigh(f"{name}.bias", part.bias)]
        return self.add(operator, [source, *weights], name, **attributes)

    def block(self, net, name, source):
        """Convolution, normalisation, ReLU."""
        x = self.conv(net, name, source, kernel_shape=[3, 3, 3], pads=[1] * 6)
        norm = getattr(net, f"{name}_norm")
        affine = [self.weigh(f"{name}.scale", norm.weight), self.weigh(f"{name}.shift", norm.bias)]
        x = self.add("InstanceNormalization", [x, *affine], f"{name}_norm", epsilon=norm.eps)
        return self.add("Relu", [x], f"{name}_relu")


def export(net):
    graph = Graph()
    side = graph.block(net, "left", graph.block(net, "enter", "ct"))
    x = graph.add("MaxPool", [side], "pool", kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    x = graph.block(net, "deep", graph.block(net, "down", x))
    x = graph.conv(net, "up", x, "ConvTranspose", kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    x = graph.block(net, "right", graph.add("Concat", [side, x], "join", axis=1))
    part = net.leave
    weights = [graph.weigh("leave.weight", part.weight), graph.weigh("leave.bias", part.bias)]
    graph.add("Conv", [x, *weights], "logits", kernel_shape=[1, 1, 1])
    shape = lambda channels: [1, channels, "depth", "height", "width"]  # noqa: E731
    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape(1))  # noqa: E731
    body = helper.make_graph(graph.nodes, "lesion-unet", [tensor("ct")], [tensor("logits")], graph.weights)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="fiel lesion-phantom"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: train.py PHANTOMS (a folder written by `cargo run -p lesion-phantom -- train PHANTOMS`)")
    net = train(phantoms(pathlib.Path(sys.argv[1])))
    path = HERE.parent / "unet.onnx.tar"
    digest = onnx_bundle.write(path, MANIFEST, export(net))
    print(f"{path}: SHA-256 {digest}")


if __name__ == "__main__":
    main()
