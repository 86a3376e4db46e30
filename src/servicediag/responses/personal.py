"""Recognises columns that say who a person is, by heading and by content."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from servicediag.responses.matching import without_label
from servicediag.responses.multiple_choice import TICKS
from servicediag.responses.normalise import normal_code, normal_text

__all__ = ["personal_reason"]

_HEADINGS: dict[str, tuple[str, ...]] = {
    "a name": (
        "name", "names", "fullname", "yourname", "yourfullname", "firstname", "lastname", "middlename", "surname",
        "familyname", "givenname", "forename", "respondentname", "employeename", "staffname", "customername",
        "clientname", "guestname",
        "participantname", "recipientfirstname", "recipientlastname", "recipientname", "username", "nickname",
        "signature", "studentname", "teachername", "patientname", "candidatename", "nameofrespondent",
        "nameoftherespondent", "respondentsname", "nombredelencuestado", "nombredelestudiante", "学生姓名", "员工姓名",
        "客户姓名", "受访者姓名", "微信号", "微信",
        "nombre", "nombres", "apellido", "apellidos", "nombrecompleto", "nombreyapellido", "nombreyapellidos",
        "nombredelempleado", "nombredelcliente", "usuario", "firma",
        "姓名", "名字", "您的姓名", "你的姓名", "姓氏", "全名", "用户名", "用戶名", "昵称", "暱稱", "签名",
        "nome", "nomecompleto", "seunome", "sobrenome", "vorname", "nachname", "vornamenachname", "ihrname", "nom",
        "prénom", "nometprénom", "votrenom", "nomdefamille", "submittername", "submittedby", "benutzername",
        "имя", "фамилия", "отчество", "фио", "вашеимя", "имяифамилия", "фамилияимяотчество", "фамилияиимя",
        "имяпользователя", "подпись",
        "yourfirstandlastname", "firstandlastname", "nameandsurname", "namesurname", "namen", "namenein", "namenan",
        "cómosellama", "cómotellamas", "comosellama", "comotellamas", "comovocêsechama", "wieheißensie",
        "commentvousappelezvous", "каквасзовут", "您叫什么名字", "你叫什么名字",
    ),
    "an e-mail address": (
        "email", "emails", "emailaddress", "youremail", "youremailaddress", "mail", "mailaddress", "workemail",
        "recipientemail",
        "correo", "correoelectronico", "correoelectrónico", "direcciondecorreoelectronico",
        "direccióndecorreoelectrónico", "电子邮件", "邮件", "電子郵件", "邮箱", "电子邮箱", "邮箱地址", "电子邮件地址",
        "endereçodeemail", "adresseemail", "adressedemessagerie", "courriel", "emailadresse", "correodelencuestado",
        "indirizzoemail",
        "почта", "электроннаяпочта", "адресэлектроннойпочты", "элпочта", "имейл",
    ),
    "a telephone number": (
        "phone", "phonenumber", "telephone", "telephonenumber", "mobile", "mobilephone", "mobilenumber",
        "cellphone", "tel", "whatsapp", "telefono", "teléfono", "movil", "móvil", "celular", "numerodetelefono",
        "númerodeteléfono", "电话", "電話", "手机", "手機", "手机号", "手机号码", "联系电话", "电话号码", "聯絡電話",
        "telefone", "numerodetelefone", "númerodetelefone", "celular", "telefon", "telefonnummer", "handynummer",
        "téléphone", "numérodetéléphone", "portable",
        "телефон", "номертелефона", "мобильныйтелефон", "мобильный",
    ),
    "an address on the network": (
        "submissionip", "networkid", "ipadresse", "adresseip", "endereçoip", "endereçodeip", "sessionid",
        "ip", "ipaddress", "ipaddr", "yourip", "userip", "direccionip", "direcciónip", "ip地址", "来自ip", "來自ip",
        "ipадрес", "адресip",
    ),
    "a location": (
        "location", "gps", "gpslocation", "latitude", "longitude", "locationlatitude", "locationlongitude", "address",
        "homeaddress", "streetaddress", "postaladdress", "geolocation", "ubicacion", "ubicación", "latitud", "longitud",
        "direccion", "dirección", "domicilio", "位置", "地理位置", "经度", "纬度", "經度", "緯度", "地址", "住址",
        "geolocationlatitude", "geolocationlongitude", "endereço", "adresse", "anschrift", "adressepostale",
        "местоположение", "широта", "долгота", "адрес", "домашнийадрес", "геолокация",
    ),
    "an official number": (
        "passport", "passportnumber", "ssn", "socialsecuritynumber", "nationalid", "idcard", "dateofbirth", "birthdate",
        "birthday", "dni", "nie", "curp", "fechadenacimiento", "身份证", "证件号",
        "证件号码", "身份证号", "身份證號", "出生日期", "生日",
        "паспорт",
        "снилс", "инн", "датарождения",
    ),
}  # fmt: skip
_BY_HEADING = {normal_code(heading): kind for kind, headings in _HEADINGS.items() for heading in headings}
_SURE_PARTS = frozenset(("a name", "an official number"))
"""What the last part of a heading tells; `[Email]` or `[Location]` may be a row of a grid that asks for a rating."""
_ASKED = re.compile(
    r"(?:please |kindly |por favor,? |bitte |пожалуйста,? )?"
    r"(?:enter|provide|type|write|state|give|insert|fill in|what is|what's|what are|escriba|escribe|indique|ingrese|"
    r"introduzca|introduce|cuál es|cual es|digite|informe|escreva|insira|qual é|qual e|geben sie|nennen sie|"
    r"wie lautet|wie ist|indiquez|entrez|saisissez|quel est|укажите|введите|напишите|请输入|请填写|输入|填写)?\s?"
    r"(?:your|the|su|tu|el|o seu|seu|ihren|ihre|ihr|votre|ваше|вашу|ваш|свое|您的|你的)?\s?"
)
"""What may stand before the detail asked for, as in `What is your name?`."""
_IN_PARENTHESES = re.compile(r"\s?[(\[][^()\[\]]{1,60}[)\]]$")
_PARENT = re.compile(r".*(?:\s[-\u2010-\u2015|]\s|:\s|::|>>|/|\[)", re.DOTALL)
_LONGEST_HEADING = 300
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,24}")
_IP = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:\s?[(（].{0,60})?|(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}")
_PHONE = re.compile(r"\+?[0-9(][0-9()\s./-]{6,20}[0-9]")
_DATE_OR_NUMBER = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}|[0-9.]+|[0-9]{1,4}-[0-9]{1,4}")
_LONGEST = 254
_PHONE_SAMPLE = 1_000


def personal_reason(heading: str, values: Sequence[str | None], questions: Sequence[str] = ()) -> str | None:
    """What personal detail a column seems to hold, by its heading, its questions apart from it and its cells, or None.

    Examples
    --------
    >>> personal_reason("E-mail", []), personal_reason("Contact", ["a@b.org"]), personal_reason("Store name", ["Ann"])
    ('an e-mail address', 'an e-mail address', None)
    """
    if kind := _by_heading(heading, values, questions):
        return kind
    together = "\n".join(filter(None, values))
    dotted = ":" in together or together.count(".") > 2
    if "@" in together or dotted:
        short = [text for value in values if value and len(text := value.strip()) <= _LONGEST]
        if any(_EMAIL.fullmatch(value) for value in short):
            return "an e-mail address"
        if dotted and any(_IP.fullmatch(value) for value in short):
            return "an address on the network"
    step = max(1, len(values) // _PHONE_SAMPLE)
    sample = [text for value in values[::step] if value and (text := value.strip())]
    if sample and sum(_is_phone(value) for value in sample) > len(sample) / 2:
        return "a telephone number"
    return None


def _by_heading(heading: str, values: Sequence[str | None], questions: Sequence[str]) -> str | None:
    """What a heading asks for; its last part, or a question apart from it, may be but a row or an option of it."""
    if kind := _BY_HEADING.get(normal_code(heading)):
        return kind
    text = normal_text(heading[:_LONGEST_HEADING])
    if kind := next(filter(None, map(_BY_HEADING.get, _details(text))), None):
        return kind
    whole = text.rstrip("]")
    parent = _PARENT.match(whole)
    parts = [whole[parent.end() :]] if parent else []
    parts.extend(normal_text(question[:_LONGEST_HEADING]) for question in questions)
    for part in parts:
        kind = next(filter(None, map(_BY_HEADING.get, _details(part))), None)
        if kind in _SURE_PARTS and not _is_ticked(values, (part, text)):
            return kind
    return None


def _details(text: str) -> Iterator[str]:
    """What a heading may ask for: without number, hint and the words around the question."""
    for bare in (text, *without_label(text)):
        for short in (bare, _IN_PARENTHESES.sub("", bare)):
            short = short.lstrip("¿¡ ")
            yield normal_code(short)
            if match := _ASKED.match(short):
                yield normal_code(short[match.end() :])


def _is_ticked(values: Sequence[str | None], own: Collection[str]) -> bool:
    """Whether a column says for each respondent only whether an option was chosen."""
    texts = {normal_text(value) for value in values if value and value.strip()}
    return bool(texts) and texts <= TICKS.union(own)


def _is_phone(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return 8 <= digits <= 15 and bool(_PHONE.fullmatch(value)) and not _DATE_OR_NUMBER.fullmatch(value)
