"""Recognises columns that say who a person is, by heading and by content."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.normalise import normal_code

__all__ = ["personal_reason"]

_HEADINGS: dict[str, tuple[str, ...]] = {
    "a name": (
        "name", "names", "fullname", "yourname", "yourfullname", "firstname", "lastname", "middlename", "surname",
        "familyname", "givenname", "forename", "respondentname", "employeename", "staffname", "customername",
        "clientname", "guestname",
        "participantname", "recipientfirstname", "recipientlastname", "recipientname", "username", "nickname",
        "signature",
        "nombre", "nombres", "apellido", "apellidos", "nombrecompleto", "nombreyapellido", "nombreyapellidos",
        "nombredelempleado", "nombredelcliente", "usuario", "firma",
        "姓名", "名字", "您的姓名", "你的姓名", "姓氏", "全名", "用户名", "用戶名", "昵称", "暱稱", "签名",
        "nome", "nomecompleto", "seunome", "sobrenome", "vorname", "nachname", "vornamenachname", "ihrname", "nom",
        "prénom", "nometprénom", "votrenom", "nomdefamille", "submittername", "submittedby", "benutzername",
        "имя", "фамилия", "отчество", "фио", "вашеимя", "имяифамилия", "фамилияимяотчество", "фамилияиимя",
        "имяпользователя", "подпись",
    ),
    "an e-mail address": (
        "email", "emails", "emailaddress", "youremail", "youremailaddress", "mail", "mailaddress", "workemail",
        "recipientemail",
        "correo", "correoelectronico", "correoelectrónico", "direcciondecorreoelectronico",
        "direccióndecorreoelectrónico", "电子邮件", "電子郵件", "邮箱", "电子邮箱", "邮箱地址", "电子邮件地址",
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
        "birthday", "dni", "nie", "curp", "fechadenacimiento", "身份证", "身份证号", "身份證號", "出生日期", "生日",
        "паспорт",
        "снилс", "инн", "датарождения",
    ),
}  # fmt: skip
_BY_HEADING = {normal_code(heading): kind for kind, headings in _HEADINGS.items() for heading in headings}
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,24}")
_IP = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:\s?[(（].{0,60})?|(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}")
_PHONE = re.compile(r"\+?[0-9(][0-9()\s./-]{6,20}[0-9]")
_DATE_OR_NUMBER = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}|[0-9.]+|[0-9]{1,4}-[0-9]{1,4}")
_LONGEST = 254
_PHONE_SAMPLE = 1_000


def personal_reason(heading: str, values: Sequence[str | None]) -> str | None:
    """What personal detail a column seems to hold, or None.

    Examples
    --------
    >>> personal_reason("E-mail", []), personal_reason("Contact", ["a@b.org"]), personal_reason("Store name", ["Ann"])
    ('an e-mail address', 'an e-mail address', None)
    """
    if kind := _BY_HEADING.get(normal_code(heading)):
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


def _is_phone(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return 8 <= digits <= 15 and bool(_PHONE.fullmatch(value)) and not _DATE_OR_NUMBER.fullmatch(value)
