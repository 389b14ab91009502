"""Writes the small image files beside this script with the field's own packages, and what those packages read from them.

Run in a virtual environment: pip install numpy nibabel SimpleITK pydicom highdicom; python make.py
Everything is seeded; identifiers are fixed. `expected.json` holds for each file the grid in RAS+ millimetres (shape,
spacing, origin, direction row by row) and the voxels with the first axis running fastest, as the package that wrote
the file (or another one, where said) reads them back.
"""

import json
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

HERE = Path(__file__).parent
EXPECTED = []
SHAPE = (5, 4, 3)
NUMBERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
# Rotated about two axes, and mirrored.
_A, _B = np.deg2rad(25), np.deg2rad(-10)
ROTATION = np.array([[np.cos(_A), -np.sin(_A), 0], [np.sin(_A), np.cos(_A), 0], [0, 0, 1]]) @ np.array(
    [[1, 0, 0], [0, np.cos(_B), -np.sin(_B)], [0, np.sin(_B), np.cos(_B)]]
)
SPACING = np.array([0.75, 1.25, 2.5])
ORIGIN = np.array([-12.5, 30.25, 7.0])
LPS = np.diag([-1.0, -1.0, 1.0])


def affine(rotation=ROTATION, spacing=SPACING, origin=ORIGIN):
    result = np.eye(4)
    result[:3, :3] = rotation * spacing
    result[:3, 3] = origin
    return result


def voxels(dtype, seed):
    rng = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.floating):
        return rng.normal(0, 100, SHAPE).astype(dtype)
    low, high = (0, 200) if np.issubdtype(dtype, np.unsignedinteger) else (-100, 100)
    return rng.integers(low, high, SHAPE).astype(dtype)


def expect(name, matrix, data, reader="image"):
    matrix = np.asarray(matrix, float)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    data = np.asarray(data)
    data = data.reshape(data.shape + (1,) * (3 - data.ndim))
    EXPECTED.append({
        "file": name, "reader": reader, "shape": list(data.shape), "spacing_mm": spacing.tolist(),
        "origin_mm": matrix[:3, 3].tolist(), "direction": (matrix[:3, :3] / spacing).ravel().tolist(),
        "voxels": [float(v) for v in data.ravel(order="F")],
    })


def nifti():
    def save(name, image, reader="image"):
        nib.save(image, HERE / name)
        back = nib.load(HERE / name)
        expect(name, back.affine, back.get_fdata(), reader)

    for i, dtype in enumerate(NUMBERS):
        for kind, make in (("nifti1", nib.Nifti1Image), ("nifti2", nib.Nifti2Image)):
            for order, sign in (("le", "<"), ("be", ">")):
                data = voxels(dtype, i).astype(np.dtype(dtype).newbyteorder(sign))
                header = make.header_class(endianness=sign)
                header.set_data_dtype(data.dtype)
                image = make(data, affine(), header)
                image.header.set_slope_inter(1, 0)
                save(f"{kind}_{dtype}_{order}.nii", image)
    mask = (voxels("uint8", 77) > 120).astype(np.uint8)
    save("mask.nii.gz", nib.Nifti1Image(mask, affine()), "mask")
    save("mask_nifti2.nii.gz", nib.Nifti2Image(mask, affine()), "mask")
    save("mask_float.nii.gz", nib.Nifti1Image(mask.astype(np.float32), affine()), "mask")
    save("labels.nii.gz", nib.Nifti1Image(voxels("uint16", 78) * 3, affine()), "labels")

    scaled = nib.Nifti1Image(voxels("int16", 79), affine())
    scaled.header.set_slope_inter(0.5, -1000)
    nib.save(scaled, HERE / "scaled.nii.gz")
    # nibabel writes what it is given divided by the slope: take what it reads.
    save_again = nib.load(HERE / "scaled.nii.gz")
    expect("scaled.nii.gz", save_again.affine, save_again.get_fdata().astype(np.float32))

    mirrored = affine(ROTATION @ np.diag([1, 1, -1]))
    only_q = nib.Nifti1Image(mask, None)
    only_q.set_qform(mirrored, 1)
    only_q.set_sform(None, 0)
    save("qform_mirrored.nii", only_q, "mask")
    microns = nib.Nifti1Image(mask, affine(spacing=SPACING * 1000, origin=ORIGIN * 1000))
    microns.header.set_xyzt_units("micron")
    nib.save(microns, HERE / "microns.nii")
    # nibabel leaves units to its caller.
    expect("microns.nii", affine(), mask, "mask")
    extended = nib.Nifti1Image(mask, affine())
    extended.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"not a part of the voxels" * 9))
    save("extension.nii", extended, "mask")
    flat = nib.Nifti1Image(mask[:, :, 0], affine())
    save("two_axes.nii", flat, "mask")


def itk_matrix(image):
    n = image.GetDimension()
    result = np.eye(4)
    result[:n, :n] = np.array(image.GetDirection()).reshape(n, n) * np.array(image.GetSpacing())
    result[:n, 3] = image.GetOrigin()
    result[:3] = LPS @ result[:3]
    return result


def meta():
    def save(name, image, compress=False, reader="image"):
        sitk.WriteImage(image, str(HERE / name), compress)
        read(name, reader)

    def read(name, reader="image"):
        back = sitk.ReadImage(str(HERE / name))
        expect(name, itk_matrix(back), np.transpose(sitk.GetArrayFromImage(back)), reader)

    def image(array):
        result = sitk.GetImageFromArray(np.transpose(array))
        result.SetSpacing(SPACING.tolist())
        result.SetOrigin((LPS @ ORIGIN).tolist())
        result.SetDirection((LPS @ ROTATION @ np.diag([1, 1, -1])).ravel().tolist())
        return result

    for i, dtype in enumerate(NUMBERS):
        save(f"meta_{dtype}.mha", image(voxels(dtype, 100 + i)))
    mask = (voxels("uint8", 77) > 120).astype(np.uint8)
    save("meta_mask_zlib.mha", image(mask), True, "mask")
    save("meta_mask.mhd", image(mask), False, "mask")
    save("meta_mask_zlib.mhd", image(mask), True, "mask")
    flat = sitk.GetImageFromArray(np.transpose(voxels("int16", 111)[:, :, 0]))
    flat.SetSpacing((0.5, 0.25))
    flat.SetOrigin((3, -4))
    flat.SetDirection((0.8, -0.6, 0.6, 0.8))
    save("meta_two_axes.mha", flat)
    # SimpleITK writes the machine's byte order only, but reads both.
    header = (HERE / "meta_int16.mha").read_bytes().split(b"LOCAL\n")[0].replace(b"MSB = False", b"MSB = True")
    data = voxels("int16", 103).astype(">i2").tobytes(order="F")
    (HERE / "meta_int16_be.mha").write_bytes(header + b"LOCAL\n" + data)
    read("meta_int16_be.mha")


def npy():
    for i, dtype in enumerate(["bool", *NUMBERS]):
        data = voxels("uint8", 200) > 100 if dtype == "bool" else voxels(dtype, 200 + i)
        for order in "CF":
            for sign in "<>":
                if sign == ">" and data.dtype.itemsize == 1:
                    continue
                version = [(1, 0), (2, 0), (3, 0)][i % 3]
                name = f"npy_{dtype}_{order}_{'le' if sign == '<' else 'be'}.npy"
                with open(HERE / name, "wb") as file:
                    array = np.asarray(data.astype(data.dtype.newbyteorder(sign)), order=order)
                    np.lib.format.write_array(file, array, version=version)
                expect(name, np.diag([*SPACING, 1]), np.load(HERE / name), "mask" if dtype == "bool" else "image")
    one = voxels("int16", 300)[:, 0, 0]
    np.save(HERE / "npy_one_axis.npy", one)
    expect("npy_one_axis.npy", np.diag([*SPACING, 1]), one)


def source_series(row, column, step, count, rows, columns):
    """An empty CT series to which segmentations refer."""
    series = []
    normal = np.cross(row, column)
    study, of, place = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
    for i in range(count):
        d = pydicom.Dataset()
        d.file_meta = pydicom.dataset.FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        d.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.4.{i + 1}"
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, of, place
        d.PatientID, d.PatientName, d.PatientBirthDate, d.PatientSex = "phantom", "phantom", "", ""
        d.StudyDate, d.StudyTime, d.AccessionNumber, d.ReferringPhysicianName, d.StudyID = "", "", "", "", ""
        d.Modality, d.SeriesNumber, d.InstanceNumber = "CT", 1, i + 1
        d.Rows, d.Columns, d.BitsAllocated, d.BitsStored, d.HighBit = rows, columns, 16, 16, 15
        d.SamplesPerPixel, d.PixelRepresentation, d.PhotometricInterpretation = 1, 0, "MONOCHROME2"
        d.PixelSpacing, d.SliceThickness = [1.25, 0.75], step
        d.ImageOrientationPatient = [float(f"{v:.12f}") for v in (*row, *column)]
        d.ImagePositionPatient = [float(f"{v:.10f}") for v in np.array([10.0, -20.0, 30.0]) + i * step * normal]
        d.PixelData = bytes(2 * rows * columns)
        series.append(d)
    return series


def dicom():
    def save(name, data, kind, row=(1, 0, 0), column=(0, 1, 0), reader="labels", change=None, omit=True):
        """`data`: slices, rows, columns, segments (or without the last one for a label map)."""
        series = source_series(np.array(row, float), np.array(column, float), 2.5, *data.shape[:3])
        count = data.shape[3] if data.ndim == 4 else int(data.max())
        described = [
            hd.seg.SegmentDescription(
                segment_number=i + 1, segment_label=f"segment {i + 1}",
                segmented_property_category=codes.SCT.Tissue, segmented_property_type=codes.SCT.Tissue,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for i in range(count)
        ]
        seg = hd.seg.Segmentation(
            source_images=series, pixel_array=data, segmentation_type=kind, segment_descriptions=described,
            series_instance_uid="1.2.826.0.1.3680043.8.498.5", series_number=2,
            sop_instance_uid="1.2.826.0.1.3680043.8.498.6", instance_number=1, manufacturer="none",
            manufacturer_model_name="none", software_versions="0", device_serial_number="0",
            omit_empty_frames=omit, max_fractional_value=200,
        )
        if change:
            change(seg)
        path = HERE / name
        seg.save_as(path)
        back = hd.seg.segread(path)
        kind = str(back.SegmentationType)
        if kind == "FRACTIONAL":
            volume = back.get_volume(segment_numbers=[1], rescale_fractional=True)
            array = np.asarray(volume.array)[..., 0]
            if reader == "labels":
                array = (array >= 0.5).astype(np.uint8)
        else:
            volume = back.get_volume(combine_segments=True)
            array = np.asarray(volume.array)
        matrix = np.array(volume.affine)
        matrix[:3] = LPS @ matrix[:3]
        # highdicom: slices, rows, columns; here columns, rows, slices, along the planes' normal.
        matrix = matrix[:, [2, 1, 0, 3]]
        array = np.transpose(array, (2, 1, 0))
        normal = LPS @ np.cross(row, column)
        if matrix[:3, 2] @ normal < 0:
            matrix[:3, 3] += matrix[:3, 2] * (array.shape[2] - 1)
            matrix[:3, 2] *= -1
            array = array[:, :, ::-1]
        expect(name, matrix, array, reader)

    rng = np.random.default_rng(9)
    two = np.zeros((6, 5, 7, 2), np.uint8)
    which = rng.integers(0, 3, (6, 5, 7))
    which[[2, 3]] = 0
    for i in range(2):
        two[..., i] = which == i + 1
    binary, fractional = hd.seg.SegmentationTypeValues.BINARY, hd.seg.SegmentationTypeValues.FRACTIONAL
    save("seg_binary.dcm", two, binary)
    save("seg_all_frames.dcm", two, binary, omit=False)
    oblique = LPS @ ROTATION
    save("seg_oblique.dcm", two, binary, oblique[:, 0], oblique[:, 1])
    save("seg_sagittal.dcm", two, binary, (0, 1, 0), (0, 0, -1))
    fraction = rng.random((4, 5, 7, 1)).astype(np.float32)
    save("seg_fractional.dcm", fraction, fractional, reader="image")
    save("seg_fractional_labels.dcm", fraction, fractional)
    labels = rng.integers(0, 5, (4, 5, 7)).astype(np.uint8)
    save("seg_labelmap.dcm", labels, hd.seg.SegmentationTypeValues.LABELMAP)

    def implicit(seg):
        seg.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian

    save("seg_implicit.dcm", two, binary, change=implicit)

    def undefined(dataset):
        for element in dataset:
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
                    undefined(item)

    save("seg_undefined_lengths.dcm", two, binary, change=undefined)
    save("seg_mask.dcm", two[..., :1], binary, reader="mask")


def main():
    nifti()
    meta()
    npy()
    dicom()
    lines = ",\n".join(json.dumps(e) for e in EXPECTED)
    (HERE / "expected.json").write_text("[\n" + lines + "\n]\n")
    for path in HERE.iterdir():
        if path.suffix != ".json":
            assert path.stat().st_size < 20_000, path
    print(len(EXPECTED), "files")


if __name__ == "__main__":
    main()
