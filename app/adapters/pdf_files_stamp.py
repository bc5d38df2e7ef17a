"""The access block put into a PDF made elsewhere, whose own text and tags stay as they are.

Part of adapters.pdf_files_worker, loaded there. On a page of its own the block keeps its tags, where the file is
tagged; in a corner it is an artifact (PDF 32000-1, 14.8.2.2), drawn as vectors after all that is on the page.
"""

import io
from typing import Any

MARGIN_MM, FURTHEST_MM, STEP_MM = 8.0, 22.0, 2.0  # how far from the paper's edges a corner's block may stand
CLEAR_MM = 2.5  # nothing stands nearer to it
MM = 72 / 25.4
_LOOK_DPI = 50
_PAPER = 250  # of 255: anything darker is something
# Displayed page to the page's own space, for each /Rotate (clockwise; PDF 32000-1, 7.7.3.3).
_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def stamp(data: bytes, block: bytes, place: str) -> tuple[str, bytes]:
    """``place``: front, end or corner. Where no corner is free: the place is ``none`` and there is no file."""
    import pikepdf

    with pikepdf.open(io.BytesIO(data)) as pdf, pikepdf.open(io.BytesIO(block)) as ours:
        if place == "corner":
            _cut_out(block, ours)
            spot = _free_corner(data, ours)
            if spot is None:
                return "none", b""
            _into_corner(pdf, ours, *spot)
        else:
            _as_page(pdf, ours, at_front=place == "front")
        out = io.BytesIO()
        pdf.save(out, deterministic_id=True)
    return place, out.getvalue()


def _as_page(pdf: Any, ours: Any, *, at_front: bool) -> None:
    import pikepdf

    number = 0 if at_front else len(pdf.pages)
    pdf.pages.insert(number, ours.pages[0])
    page = pdf.pages[number].obj
    if "/StructTreeRoot" in pdf.Root:
        _join_tags(pdf, ours, page, at_front=at_front)
    else:
        for key in ("/StructParents", "/Tabs"):
            if key in page:
                del page[key]
    if at_front and "/PageLabels" in pdf.Root:
        labels: Any = pikepdf.NumberTree(pdf.Root.PageLabels)
        fresh: Any = pikepdf.NumberTree.new(pdf)
        fresh[0] = pikepdf.Dictionary()
        for number, label in list(labels.items()):
            fresh[number + 1] = label
        pdf.Root.PageLabels = fresh.obj


def _join_tags(pdf: Any, ours: Any, page: Any, *, at_front: bool) -> None:
    """Our page's part of the structure becomes a section of theirs (PDF 32000-1, 14.7)."""
    import pikepdf

    theirs = pdf.Root.StructTreeRoot
    tree = pdf.copy_foreign(ours.Root.StructTreeRoot)  # its /Pg is our page, which was copied before
    if "/ParentTree" not in theirs:
        theirs.ParentTree = pikepdf.NumberTree.new(pdf).obj
    parents = pikepdf.NumberTree(theirs.ParentTree)
    first = max([int(theirs.get("/ParentTreeNextKey", 0)), *(key + 1 for key in parents)])
    last = first
    for key, value in pikepdf.NumberTree(tree.ParentTree).items():
        parents[first + key] = value
        last = max(last, first + key + 1)
    theirs.ParentTreeNextKey = last
    page.StructParents = first + int(page.StructParents)
    top = tree.K[0] if isinstance(tree.K, pikepdf.Array) else tree.K
    if not top.is_indirect:
        top = pdf.make_indirect(top)
    top.S = pikepdf.Name.Sect
    top.Lang = ours.Root.get("/Lang", pikepdf.String("en"))
    home = theirs
    kids = theirs.get("/K")
    if isinstance(kids, pikepdf.Array) and len(kids) == 1:
        kids = kids[0]
    if isinstance(kids, pikepdf.Dictionary) and str(kids.get("/S")) == "/Document":
        home = kids
    top.P = home
    within = home.get("/K")
    if within is None:
        home.K = pikepdf.Array([top])
        return
    if not isinstance(within, pikepdf.Array):
        within = pikepdf.Array([within])
    others = list(within)
    home.K = pikepdf.Array([top, *others] if at_front else [*others, top])


def _cut_out(block: bytes, ours: Any) -> None:
    """The block's page shrinks to what is drawn on it: how tall the block is, its texts decide."""
    import pikepdf
    import pypdfium2

    dots = 3.0  # a point
    with pypdfium2.PdfDocument(block) as document, _first(document) as page:
        _across, tall = page.get_size()
        picture = page.render(scale=dots).to_pil().convert("L")
    edges = picture.point(lambda level: 255 if level < _PAPER else 0).getbbox()
    if edges is None:
        raise ValueError("an empty block")
    left, top, right, bottom = (edge / dots for edge in edges)
    shown = ours.pages[0].obj
    for key in ("/CropBox", "/TrimBox", "/BleedBox", "/ArtBox"):
        if key in shown:
            del shown[key]
    shown.MediaBox = pikepdf.Array([left - 0.5, tall - bottom - 0.5, right + 0.5, tall - top + 0.5])


def _free_corner(data: bytes, ours: Any) -> tuple[float, float] | None:
    """Where on the displayed first page the block's lower left may stand, in mm: upper right, upper left, lower
    right, lower left, the first in which nothing is."""
    import pypdfium2

    box = ours.pages[0].mediabox
    wide, high = float(box[2] - box[0]) / MM, float(box[3] - box[1]) / MM
    with pypdfium2.PdfDocument(data) as document, _first(document) as page:
        # PDFium knows no UserUnit: its points are the page's own units.
        scale_mm = _unit_mm(data)
        across, tall = (edge * scale_mm for edge in page.get_size())
        dots = _LOOK_DPI / 25.4  # a mm
        picture = page.render(scale=dots * scale_mm, may_draw_forms=True).to_pil().convert("L")
    dark = picture.point(lambda level: 255 if level < _PAPER else 0)
    steps = int((FURTHEST_MM - MARGIN_MM) / STEP_MM) + 1
    insets = sorted(
        ((MARGIN_MM + x * STEP_MM, MARGIN_MM + y * STEP_MM) for x in range(steps) for y in range(steps)),
        key=sum,
    )
    for is_top, is_right in ((True, True), (True, False), (False, True), (False, False)):
        for aside, inward in insets:
            left = across - aside - wide if is_right else aside
            top = inward if is_top else tall - inward - high
            if left < MARGIN_MM or top < MARGIN_MM or top + high > tall - MARGIN_MM:
                continue
            if left + wide > across - MARGIN_MM:
                continue
            around = (left - CLEAR_MM, top - CLEAR_MM, left + wide + CLEAR_MM, top + high + CLEAR_MM)
            crop = dark.crop(tuple(round(edge * dots) for edge in around))
            if crop.getbbox() is None:
                return left, tall - top - high
    return None


def _first(document: Any) -> Any:
    from contextlib import closing

    return closing(document[0])


def _unit_mm(data: bytes) -> float:
    """How many mm a unit of the first page is."""
    import pikepdf

    with pikepdf.open(io.BytesIO(data)) as pdf:
        return float(pdf.pages[0].obj.get("/UserUnit", 1)) / MM


def _into_corner(pdf: Any, ours: Any, left_mm: float, bottom_mm: float) -> None:
    import pikepdf

    page = pdf.pages[0]
    form = pdf.copy_foreign(_without_tags(ours))
    unit = float(page.obj.get("/UserUnit", 1))
    edges = [float(edge) for edge in page.cropbox]
    x0, x1 = sorted((edges[0], edges[2]))
    y0, y1 = sorted((edges[1], edges[3]))
    turn = int(page.rotation) % 360
    a, b, c, d = _TURNS[turn]
    origin = {0: (x0, y0), 90: (x1, y0), 180: (x1, y1), 270: (x0, y1)}[turn]
    cut = ours.pages[0].mediabox
    x, y = (left_mm * MM - float(cut[0])) / unit, (bottom_mm * MM - float(cut[1])) / unit
    matrix = [a / unit, b / unit, c / unit, d / unit, origin[0] + a * x + c * y, origin[1] + b * x + d * y]
    resources = pikepdf.Dictionary(_inherited(page.obj, "/Resources"))
    theirs: Any = resources.XObject if "/XObject" in resources else {}
    forms = pikepdf.Dictionary(theirs)
    name = "/StudykeyAccess"
    while name in forms:
        name += "x"
    forms[name] = form
    resources.XObject = forms
    page.obj.Resources = resources
    lowest, depth = _balance(page)
    numbers = " ".join(f"{number:.5f}".rstrip("0").rstrip(".") for number in matrix)
    page.contents_add(b"q\n" * (1 - lowest), prepend=True)
    ours_drawn = f"{'Q ' * (1 - lowest + depth)}/Artifact BMC q {numbers} cm {name} Do Q EMC\n"
    page.contents_add(b"\n" + ours_drawn.encode())


def _balance(page: Any) -> tuple[int, int]:
    """How deep below nothing its content restores the graphics state, and how many saves it leaves open."""
    import pikepdf

    depth = lowest = 0
    for one in pikepdf.parse_content_stream(page, "q Q"):
        depth += 1 if str(one.operator) == "q" else -1
        lowest = min(lowest, depth)
    return lowest, depth


def _inherited(page: Any, key: str) -> Any:
    import pikepdf

    for _ in range(50):
        if key in page:
            return page[key]
        if "/Parent" not in page:
            break
        page = page.Parent
    return pikepdf.Dictionary()


def _without_tags(ours: Any) -> Any:
    """Our block as a form, without marks: tagged content may not stand in an artifact."""
    import pikepdf

    page = ours.pages[0]
    kept = [
        one
        for one in pikepdf.parse_content_stream(page)
        if str(one.operator) not in ("BDC", "BMC", "EMC", "MP", "DP")
    ]
    page.obj.Contents = ours.make_stream(pikepdf.unparse_content_stream(kept))
    form = page.as_form_xobject()
    for key in ("/StructParents", "/StructParent"):
        if key in form:
            del form[key]
    return form
