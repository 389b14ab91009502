"""An algorithm as Grand Challenge runs it: sockets, one MetaImage in a folder, one process for each case."""

import json
import os
from pathlib import Path

import SimpleITK
from box_mean import lesions

ROOT = Path(os.environ.get("FIEL_ROOT", "/"))
OUTPUT = ROOT / "output/images/lesions"


def input_image(slug: str) -> Path:
    """The one file in the folder of a socket."""
    for entry in json.loads((ROOT / "input/inputs.json").read_text()):
        socket = entry.get("socket") or entry["interface"]
        if socket["slug"] == slug:
            (path,) = (ROOT / "input" / socket["relative_path"]).glob("*.mha")
            return path
    raise SystemExit(f"no socket {slug}")


def main() -> None:
    image = SimpleITK.ReadImage(input_image("ct"))
    mask = SimpleITK.GetImageFromArray(lesions(SimpleITK.GetArrayFromImage(image)))
    mask.CopyInformation(image)
    OUTPUT.mkdir(parents=True)
    SimpleITK.WriteImage(mask, OUTPUT / "output.mha", useCompression=True)
    print(f"spacing {image.GetSpacing()}")


main()
