"""Reports made elsewhere: small PDFs like those of other makers, and what no report should carry."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String
from PIL import Image
from pydicom import Dataset, FileDataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import BasicTextSRStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian

from app.adapters.pdf import Renderer

WORDS = "Patient: Erika Muster. No fracture is seen."


def saved(pdf: pikepdf.Pdf, **options: Any) -> bytes:
    out = BytesIO()
    pdf.save(out, **options)
    return out.getvalue()


def plain(
    words: str = WORDS,
    *,
    pages: int = 1,
    size: tuple[float, float] = (595.276, 841.89),
    change: Callable[[pikepdf.Pdf], None] | None = None,
    **page_keys: Any,
) -> bytes:
    """As a small program writes one: untagged, one of the standard fonts, its graphics state left changed."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    wide, high = size
    for number in range(pages):
        text = f"{words} Page {number + 1}."
        drawn = (
            f"q 0.9 0 0 0.9 0 0 cm 1 0 0 rg BT /F1 12 Tf {wide * 0.1:.0f} {high / 2:.0f} Td ({text}) Tj ET"
        )
        pdf.pages.append(
            pikepdf.Page(
                Dictionary(
                    Type=Name.Page,
                    MediaBox=Array([0, 0, wide, high]),
                    Resources=Dictionary(Font=Dictionary(F1=font)),
                    Contents=pdf.make_stream(drawn.encode()),
                    **page_keys,
                )
            )
        )
    if change:
        change(pdf)
    return saved(pdf)


def scan(*, dpi: int = 60) -> bytes:
    """A sheet of paper that went through a scanner: a picture, no text."""
    out = BytesIO()
    Image.new("L", (round(8.27 * dpi), round(11.69 * dpi)), 225).save(out, "PDF", resolution=dpi)
    return out.getvalue()


def tagged(renderer: Renderer, body: str = f"<h1>Report</h1><p>{WORDS}</p>", size: str = "A4") -> bytes:
    """As a careful program writes one: PDF/UA-1, German."""
    style = f"<style>@page {{ size: {size}; margin: 60mm 20mm }}</style>"
    head = f"<title>Befund</title>{style}"
    return renderer.render(f"<!doctype html><html lang=de><head>{head}</head><body>{body}</body></html>")


def _action(**action: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        link = Dictionary(
            Type=Name.Annot,
            Subtype=Name.Link,
            Rect=Array([0, 0, 9, 9]),
            A=Dictionary(Type=Name.Action, **action),
        )
        pdf.pages[0].obj.Annots = Array([pdf.make_indirect(link)])

    return change


def _annotation(subtype: Name) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].obj.Annots = Array(
            [Dictionary(Type=Name.Annot, Subtype=subtype, Rect=Array([0, 0, 9, 9]))]
        )

    return change


def _root(**keys: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        for key, value in keys.items():
            pdf.Root[f"/{key}"] = value

    return change


def _attach(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["raw.xml"] = b"<raw/>"


def _unused_script(pdf: pikepdf.Pdf) -> None:
    """Nothing points to it but an array within a dictionary that nobody needs."""
    pdf.Root.Odd = Array([Dictionary(Deep=Array([Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))]))])


def _encrypted(user: str) -> bytes:
    with pikepdf.open(BytesIO(plain())) as pdf:
        return saved(pdf, encryption=pikepdf.Encryption(owner="owner", user=user))


def _end_of_zlib(byte: int, times: int) -> bytes:
    """The last, empty block, and the Adler-32 of one byte that comes so often (RFC 1950, 1951)."""
    low, high = (1 + byte * times) % 65521, (times + byte * times * (times + 1) // 2) % 65521
    return b"\x03\x00" + (high << 16 | low).to_bytes(4)


def _bomb() -> bytes:
    """A page's content of 2 GB, in 2 MB."""
    import zlib

    packer, times = zlib.compressobj(9), 200
    spaces = b" " * 10_000_000
    head = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block depends on none before it, so that it can be repeated as it is.
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = head + block * (times - 1) + _end_of_zlib(32, len(spaces) * times)
    pdf = pikepdf.open(BytesIO(plain()))
    pdf.pages[0].obj.Contents = pikepdf.Stream(pdf, packed, Filter=Name.FlateDecode)
    return saved(pdf, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


SCRIPT = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))
# What each is refused for.
REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a text": ("no-pdf", lambda: b"Dear colleague, no fracture."),
    "nothing": ("no-pdf", lambda: b""),
    "only the first line of a PDF": ("broken", lambda: b"%PDF-1.7\n"),
    "a PDF cut off": ("broken", lambda: plain(pages=9)[:-400]),
    "random bytes after a PDF's first line": ("broken", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40),
    "pages missing": ("broken", lambda: plain().replace(b"/Pages", b"/Pagos")),
    "a password": ("encrypted", lambda: _encrypted("user")),
    "rights withheld": ("protected", lambda: _encrypted("")),
    "too many pages": ("too-many-pages", lambda: plain(pages=101)),
    "over 20 MB": ("too-large", lambda: plain() + b"\n" * (20 * 1024 * 1024)),
    "a script on opening": ("script", lambda: plain(change=_root(OpenAction=SCRIPT))),
    "a script nobody uses": ("script", lambda: plain(change=_unused_script)),
    "a script among names": (
        "script",
        lambda: plain(change=_root(Names=Dictionary(JavaScript=Dictionary(Names=Array([]))))),
    ),
    "a program to start": ("launch", lambda: plain(change=_action(S=Name.Launch, F=String("calc.exe")))),
    "another file to open": ("launch", lambda: plain(change=_action(S=Name.GoToR, F=String("other.pdf")))),
    "a form to send": (
        "sends",
        lambda: plain(change=_action(S=Name.SubmitForm, F=String("https://x.invalid"))),
    ),
    "a page to fetch on opening": (
        "sends",
        lambda: plain(change=_root(OpenAction=Dictionary(S=Name.URI, URI=String("https://x.invalid")))),
    ),
    "an attachment": ("embedded", lambda: plain(change=_attach)),
    "an attachment as a note": ("embedded", lambda: plain(change=_annotation(Name.FileAttachment))),
    "a film": ("media", lambda: plain(change=_annotation(Name.RichMedia))),
    "an XFA form": (
        "xfa",
        lambda: plain(change=_root(AcroForm=Dictionary(XFA=String("x"), Fields=Array([])))),
    ),
    "a bomb": ("broken", _bomb),
}


SR_UID = "1.2.826.0.1.3680043.2.1125.9.1"


def _instance(sop_class: str, uid: str, tags: dict[str, str]) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, uid
    made = FileDataset("", {}, file_meta=meta)
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = sop_class, uid, f"{uid}.1"
    made.ContentDate, made.SpecificCharacterSet = "20261120", "ISO_IR 192"
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def _written(made: FileDataset) -> bytes:
    out = BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def encapsulated(pdf: bytes, uid: str = "1.2.826.0.1.3680043.2.1125.9.2", **tags: str) -> bytes:
    """A PDF as an instance of a study (PS3.3 section A.45.1)."""
    made = _instance(EncapsulatedPDFStorage, uid, {"Modality": "DOC", **tags})
    made.DocumentTitle, made.MIMETypeOfEncapsulatedDocument = "Befundbrief", "application/pdf"
    made.EncapsulatedDocument, made.EncapsulatedDocumentLength = pdf, len(pdf)
    return _written(made)


def _concept(code: str, meaning: str, scheme: str) -> Dataset:
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = code, scheme, meaning
    return concept


def _item(kind: str, code: str, meaning: str, scheme: str = "DCM", **values: object) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [_concept(code, meaning, scheme)]
    for name, value in values.items():
        setattr(item, name, value)
    return item


def structured(uid: str = SR_UID, **tags: str) -> bytes:
    """A structured report (PS3.16 TID 2000): history, findings with a measurement and a picture, impression."""
    report = _instance(BasicTextSRStorage, uid, {"Modality": "SR", **tags})
    report.VerificationFlag = "UNVERIFIED"
    report.ConceptNameCodeSequence = [_concept("18748-4", "Diagnostic Imaging Report", "LN")]
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "7", [_concept("mm", "millimeter", "UCUM")]
    nodule = "A nodule in the right upper lobe."
    report.ContentSequence = [
        _item(
            "CONTAINER",
            "121060",
            "History",
            ContentSequence=[_item("TEXT", "121060", "History", TextValue="Cough")],
        ),
        _item(
            "CONTAINER",
            "121070",
            "Findings",
            ContentSequence=[
                _item("TEXT", "121071", "Finding", TextValue=nodule),
                _item("NUM", "M-02550", "Diameter", "SRT", MeasuredValueSequence=[measured]),
                _item("IMAGE", "121080", "Best illustration of finding"),
            ],
        ),
        _item("TEXT", "121073", "Impression", TextValue="Benign."),
    ]
    return _written(report)
