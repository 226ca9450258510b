"""The lorry receipt as one page of PDF, A4.

The library is imported when a page is drawn: a process that draws none stays small. The standard
fonts of PDF know the letters of western Europe; what they lack is printed as a question mark.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final

from booking.surge import INDIA
from booking.trips.lorry_receipt import LorryReceipt, Party, Risk, qr_text, rupees

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

_MM: Final = 72 / 25.4
_WIDTH: Final = 210 * _MM
_HEIGHT: Final = 297 * _MM
_LEFT: Final = 18 * _MM
_RIGHT: Final = _WIDTH - _LEFT
_MIDDLE: Final = _WIDTH / 2
_QR: Final = 42 * _MM
_LABEL: Final = ("Helvetica", 7.5)
_TEXT: Final = ("Helvetica", 10)
_LINE: Final = 4.8 * _MM

Row = tuple[str, str]


def render(receipt: LorryReceipt) -> bytes:
    """The page. The same receipt gives the same bytes."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = BytesIO()
    page = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=True)
    page.setTitle(f"Lorry receipt {receipt.number}")
    page.setAuthor(_printable(receipt.carrier))
    _head(page, receipt)
    _parties(page, receipt, top=_HEIGHT - 48 * _MM)
    _columns(page, _goods(receipt), _carriage(receipt), top=_HEIGHT - 98 * _MM)
    _qr(page, qr_text(receipt), left=_LEFT, bottom=40 * _MM)
    _foot(page, receipt)
    page.showPage()
    page.save()
    return buffer.getvalue()


def _head(page: "Canvas", receipt: LorryReceipt) -> None:
    page.setFont("Helvetica-Bold", 20)
    page.drawString(_LEFT, _HEIGHT - 24 * _MM, "LORRY RECEIPT")
    page.setFont("Helvetica", 9)
    page.drawString(_LEFT, _HEIGHT - 30 * _MM, "Consignment note of a goods transport agency")
    page.setFont("Helvetica-Bold", 13)
    page.drawRightString(_RIGHT, _HEIGHT - 23 * _MM, receipt.number)
    page.setFont("Helvetica", 9)
    local = receipt.issued_at.astimezone(INDIA)
    page.drawRightString(_RIGHT, _HEIGHT - 28.5 * _MM, local.strftime("%d %b %Y, %H:%M IST"))
    carrier = _fit(page, receipt.carrier, _MIDDLE - _LEFT, ("Helvetica", 9))
    page.drawRightString(_RIGHT, _HEIGHT - 33.5 * _MM, carrier)
    page.setLineWidth(1.2)
    page.line(_LEFT, _HEIGHT - 39 * _MM, _RIGHT, _HEIGHT - 39 * _MM)


def _parties(page: "Canvas", receipt: LorryReceipt, *, top: float) -> None:
    parties = (("CONSIGNOR", receipt.consignor, _LEFT), ("CONSIGNEE", receipt.consignee, _MIDDLE))
    for title, party, left in parties:
        _party(page, title, party, left=left, top=top)
    page.setLineWidth(0.4)
    page.line(_LEFT, top - 40 * _MM, _RIGHT, top - 40 * _MM)


def _party(page: "Canvas", title: str, party: Party, *, left: float, top: float) -> None:
    width = _MIDDLE - _LEFT - 6 * _MM
    page.setFont(*_LABEL)
    page.drawString(left, top, title)
    page.setFont("Helvetica-Bold", 11)
    page.drawString(left, top - _LINE, _fit(page, party.name, width, ("Helvetica-Bold", 11)))
    page.setFont(*_TEXT)
    lines = _wrap(page, party.address, width, most=4)
    if party.gstin is not None:
        lines.append(f"GSTIN {party.gstin}")
    for number, line in enumerate(lines, start=2):
        page.drawString(left, top - number * _LINE, line)


def _goods(receipt: LorryReceipt) -> list[Row]:
    weighing = receipt.weighing
    return [
        ("GOODS", receipt.goods),
        ("PACKING", receipt.packages),
        ("GROSS WEIGHT", f"{weighing.gross_kg:,} kg"),
        ("TARE WEIGHT", f"{weighing.tare_kg:,} kg"),
        ("NET WEIGHT", f"{weighing.net_kg:,} kg"),
        ("DECLARED VALUE", f"Rs {rupees(receipt.declared_paise)}"),
        ("FREIGHT", f"Rs {rupees(receipt.freight_paise)}"),
    ]


def _carriage(receipt: LorryReceipt) -> list[Row]:
    risk = "At owner's risk" if receipt.risk is Risk.OWNER else "At carrier's risk"
    return [
        ("TRUCK", receipt.truck),
        ("DRIVER", receipt.driver),
        ("DRIVING LICENCE", receipt.driver_licence),
        ("E-WAY BILL", receipt.eway_bill or "none"),
        ("TRANSIT PASS", receipt.transit_pass or "not needed"),
        ("RISK", risk),
        ("TAX PAYABLE BY", "the person liable to pay freight"),
    ]


def _columns(page: "Canvas", left: list[Row], right: list[Row], *, top: float) -> None:
    for rows, edge in ((left, _LEFT), (right, _MIDDLE)):
        for number, (label, text) in enumerate(rows):
            height = top - number * 11 * _MM
            page.setFont(*_LABEL)
            page.drawString(edge, height, label)
            page.setFont(*_TEXT)
            width = _MIDDLE - _LEFT - 6 * _MM
            page.drawString(edge, height - _LINE, _fit(page, text, width, _TEXT))


def _qr(page: "Canvas", text: str, *, left: float, bottom: float) -> None:
    import segno

    # Drawn as squares: a picture would have to be decoded, and this prints sharply at any size.
    rows: Sequence[Sequence[int]] = segno.make_qr(text, error="m").matrix
    side = _QR / len(rows)
    for down, row in enumerate(rows, start=1):
        for across, dark in enumerate(row):
            if dark:
                x, y = left + across * side, bottom + _QR - down * side
                # A hair wider than its place, or viewers show white seams.
                page.rect(x, y, side * 1.02, side * 1.02, stroke=0, fill=1)


def _foot(page: "Canvas", receipt: LorryReceipt) -> None:
    left = _LEFT + _QR + 8 * _MM
    rows = (("TRIP", str(receipt.trip_id)), ("EVIDENCE UP TO HERE", receipt.evidence_head))
    for number, (label, text) in enumerate(rows):
        height = 78 * _MM - number * 11 * _MM
        page.setFont(*_LABEL)
        page.drawString(left, height, label)
        page.setFont("Courier", 8.5)
        page.drawString(left, height - _LINE, text)
    page.setFont(*_LABEL)
    for number, sentence in enumerate(
        (
            "The code holds number, trip and the digest above. The evidence of the trip",
            "contains this digest, or it isn't the one that this receipt was made from.",
        )
    ):
        page.drawString(left, 52 * _MM - number * 3.5 * _MM, sentence)
    page.setLineWidth(0.4)
    width = 50 * _MM
    for name, edge in (
        ("Consignor", _LEFT),
        ("Driver", _MIDDLE - width / 2),
        ("Consignee", _RIGHT - width),
    ):
        page.line(edge, 22 * _MM, edge + width, 22 * _MM)
        page.drawString(edge, 18.5 * _MM, f"{name}: signature, name, date")


def _printable(text: str) -> str:
    return text.encode("cp1252", errors="replace").decode("cp1252")


def _fit(page: "Canvas", text: str, width: float, font: tuple[str, float]) -> str:
    """The text as far as it has room on one line."""
    plain = _printable(text)
    if page.stringWidth(plain, *font) <= width:
        return plain
    while plain and page.stringWidth(plain + "...", *font) > width:
        plain = plain[:-1]
    return plain.rstrip() + "..."


def _wrap(page: "Canvas", text: str, width: float, *, most: int) -> list[str]:
    """The text on at most so many lines; what is over is cut off in the last."""
    lines: list[str] = []
    words = _printable(text).split()
    while words and len(lines) < most - 1:
        line = words.pop(0)
        while words and page.stringWidth(f"{line} {words[0]}", *_TEXT) <= width:
            line = f"{line} {words.pop(0)}"
        lines.append(_fit(page, line, width, _TEXT))
    if words:
        lines.append(_fit(page, " ".join(words), width, _TEXT))
    return lines
