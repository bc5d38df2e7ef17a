"""The synthetic studies: valid, always the same, and with a sign that can be told from every other."""

import io
import warnings
from datetime import date

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import config, dcmread
from pydicom.dataset import FileDataset

from app.demo import sign
from app.demo.phantoms import chest_slice, head_slice
from app.demo.studies import LETTER, Modality, SyntheticStudy, count, demo_studies, files, study
from app.demo.xray import chest_view

TODAY = date(2025, 11, 21)
FIVE_TAGS = (
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "InstitutionName",
    "ResponsibleOrganization",
)


def read(made: SyntheticStudy) -> list[FileDataset]:
    return [dcmread(io.BytesIO(file)) for file in files(made)]


def windowed(pixels: npt.NDArray[np.int16], center: float, width: float) -> sign.Gray:
    return np.clip((pixels.astype(float) - center) / width * 255 + 127.5, 0, 255).astype(np.uint8)


def chest(index: int, *, count: int = 60, size: int = 256, letter: str = "F") -> sign.Gray:
    return windowed(chest_slice(index, count, size=size, seed=1, letter=letter), 40, 400)


def on_canvas(gray: sign.Gray, width: int, height: int) -> sign.Gray:
    """As a viewer shows it: as large as fits, in the middle, black round it."""
    scale = min(width / gray.shape[1], height / gray.shape[0])
    size = (round(gray.shape[1] * scale), round(gray.shape[0] * scale))
    canvas = Image.new("L", (width, height))
    image = Image.fromarray(gray).resize(size, Image.Resampling.BILINEAR)
    canvas.paste(image, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.asarray(canvas)


def jpeg(gray: sign.Gray) -> sign.Gray:
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize(("width", "height"), [(956, 742), (390, 500), (742, 956), (256, 256), (200, 200)])
def test_the_sign_is_seen_on_canvases_of_any_shape(width: int, height: int) -> None:
    shown = jpeg(on_canvas(chest(20), width, height))

    assert sign.sign_is_visible(shown)


@pytest.mark.parametrize("index", [0, 1, 29, 30, 58, 59])
def test_the_slice_shown_can_be_read_off(index: int) -> None:
    shown = jpeg(on_canvas(chest(index), 390, 520))

    assert sign.slice_number(shown) == index + 1


def test_every_one_of_sixty_slices_reads_as_itself_on_a_phone() -> None:
    painted = np.zeros((390, 390), dtype=np.uint8)
    painted[sign.paint_letter(painted.shape, "F")] = 255
    for index in range(60):
        shown = painted.copy()
        shown[sign.paint_ruler(shown.shape, index, 60)] = 255

        assert sign.slice_number(shown) == index + 1


@pytest.mark.parametrize("letter", sorted(sign.LETTERS))
def test_a_mirrored_or_turned_picture_is_not_accepted(letter: str) -> None:
    shown = on_canvas(chest(20, letter=letter), 600, 500)

    assert sign.sign_is_visible(shown, letter)
    for wrong in (
        shown[:, ::-1],
        shown[::-1],
        shown[::-1, ::-1],
        np.rot90(shown),
        np.rot90(shown, 3),
        shown.T,
    ):
        assert not sign.sign_is_visible(wrong, letter)


def test_no_study_is_taken_for_another() -> None:
    head = windowed(head_slice(9, 20, size=256, seed=1, weighting="T2").astype(np.int16), 500, 1000)
    film = windowed(chest_view("PA", size=(307, 256), seed=1).astype(np.int16), 2048, 4096)
    pictures = {"F": chest(20), "G": head, "R": film, "J": chest(20, letter="J")}

    seen = {(shown, letter) for shown, gray in pictures.items() for letter in sign.LETTERS
            if sign.sign_is_visible(on_canvas(gray, 700, 600), letter)}  # fmt: skip

    assert seen == {(letter, letter) for letter in pictures}


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_empty_screen_shows_no_sign(shade: int) -> None:
    empty = np.full((500, 700), shade, dtype=np.uint8)

    assert not sign.sign_is_visible(empty)
    assert sign.slice_number(empty) is None


def test_an_x_ray_has_no_slice_number() -> None:
    film = windowed(chest_view("PA", size=(307, 256), seed=1).astype(np.int16), 2048, 4096)

    assert sign.slice_number(on_canvas(film, 700, 600), count=3, letter="R") is None


def test_making_a_study_again_gives_the_same_files() -> None:
    assert list(files(study(modality="MR", document=True))) == list(
        files(study(modality="MR", document=True))
    )


@pytest.mark.parametrize("modality", ["CT", "MR", "DX"])
def test_it_is_known_before_how_many_files_a_study_has(modality: Modality) -> None:
    made = study(modality=modality, slices=4, size=32, document=True)

    assert count(made) == len(list(files(made)))


def test_the_demo_sends_the_same_objects_whatever_the_day() -> None:
    first, later = demo_studies(today=TODAY), demo_studies(today=date(2026, 1, 2))

    assert [one.study_instance_uid for one in first] == [one.study_instance_uid for one in later]
    assert [one.uid(1, 0) for one in first] == [one.uid(1, 0) for one in later]
    assert len({one.study_instance_uid for one in first}) == len(first)


def test_another_patient_can_have_a_study_of_the_same_uid() -> None:
    mine = study()
    other = study(patient_id="DEMO-9", patient_name="Other^One", study_instance_uid=mine.study_instance_uid)

    assert {d.StudyInstanceUID for d in read(mine) + read(other)} == {mine.study_instance_uid}
    assert {d.PatientID for d in read(other)} == {"DEMO-9"}


@pytest.mark.parametrize("modality", ["CT", "DX", "MR"])
def test_objects_are_valid_and_carry_what_ingestion_reads(
    modality: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.RAISE)
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.RAISE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        objects = read(study(modality=modality, document=True, AccessionNumber="A-7"))  # type: ignore[arg-type]

    for made in objects:
        assert all(str(made[tag].value) for tag in FIVE_TAGS)
        assert made.InstitutionName == "Demo Clinic"
        assert made.AccessionNumber == "A-7"
        assert made.StudyDescription
    *images, document = objects
    assert {made.Modality for made in images} == {modality}
    assert all(made.pixel_array.shape == (made.Rows, made.Columns) for made in images)
    assert "PixelData" not in document
    assert document.EncapsulatedDocument.startswith(b"%PDF-")
    assert len({made.SOPInstanceUID for made in objects}) == len(objects)


def test_slices_go_from_the_head_downwards_at_even_steps() -> None:
    objects = read(study(slices=4))

    heights = [float(made.ImagePositionPatient[2]) for made in objects]
    assert [made.InstanceNumber for made in objects] == [1, 2, 3, 4]
    assert set(np.diff(heights)) == {-float(objects[0].SliceThickness)}
    assert len({made.FrameOfReferenceUID for made in objects}) == 1


def test_ct_values_are_hounsfield_units_after_rescale() -> None:
    [made] = read(study(slices=1, size=128))

    hounsfield = made.pixel_array * float(made.RescaleSlope) + float(made.RescaleIntercept)
    assert abs(float(np.median(hounsfield[:8])) + 1000) < 25  # air
    assert hounsfield.max() >= 1400  # the sign


def test_the_demo_has_the_patients_that_are_hard_to_get_right() -> None:
    patients = {one.patient_id: one for one in demo_studies(today=TODAY)}
    small = {
        key: read(
            study(
                patient_name=one.patient_name,
                patient_id=key,
                birth_date=one.birth_date,
                character_set=one.character_set,
                slices=1,
            )
        )[0]
        for key, one in patients.items()
    }

    assert all(one.patient_id.startswith("DEMO-") for one in patients.values())
    assert small["DEMO-2"].PatientBirthDate == ""
    assert small["DEMO-3"].PatientName.ideographic == "山田^太郎"
    assert small["DEMO-3"].PatientName.phonetic == "やまだ^たろう"
    assert str(small["DEMO-4"].PatientName) == "النجار^ليلى"
    assert small["DEMO-4"].SpecificCharacterSet == "ISO_IR 127"
    assert [LETTER[one.modality] for one in patients.values()] == ["F", "R", "G", "F"]
