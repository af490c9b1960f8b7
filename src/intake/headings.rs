//! E11: columns whose names say that they hold personal data. Pure.
//!
//! The words are those of the languages in which the platform's customers write. They are a guess for
//! a warning, and a warning that is mostly wrong is not read. So `Team name` and `Email sent` do not
//! count, though a few columns with people's data will not be noticed either.

use super::folding::fold;

/// Words of which one, anywhere in the name, tells of an e-mail address, a telephone number, a date of
/// birth, a person's name, or where somebody lives. Folded.
const WORDS: &str = "\
    courriel epost correo sahkoposti eposta tel tels telnr telno gsm fax natel whatsapp celular \
    cellulare movil komorka komorkowy puhelin rufnummer handynummer mobilnummer mobielnummer \
    mobilenumber cellphone dob yob bday gebdat verjaardag cumpleanos compleanno surname surnames \
    firstname lastname givenname givennames forename forenames fullname middlename maidenname \
    familyname nickname username voornaam achternaam familienaam roepnaam tussenvoegsel \
    voorletters klantnaam prenom prenoms vorname nachname familienname zuname kundenname \
    ansprechpartner apellido apellidos cognome nominativo apelido sobrenome nazwisko imie \
    prijmeni fornamn efternamn fornavn etternavn efternavn etunimi sukunimi keresztnev \
    vezeteknev contactpersoon address addresses addressline1 addressline2 address1 address2 \
    adres adresse adressen adress direccion indirizzo endereco morada domicilio domicile street \
    streetaddress straat straatnaam strasse anschrift rue ulica calle huisnummer hausnummer \
    woonadres postadres huisadres wohnort woonplaats";

/// Parts of words that tell the same.
const PARTS: &str = "\
    mail telefo telepho telemov phone birth geboort geburt naissance nacimiento nascita \
    nascimento urodz fodsel fodelse narozen szulet syntyma メール 電話 携帯 氏名 名前 住所 生年月日 邮箱 邮件 电话 手机 \
    姓名 地址 почт телефон фамил рожден адрес";

/// Words that hold one of the parts and tell nothing.
const OTHER_WORDS: &str = "\
    mailing mailings mailed mailer mailers mailchimp mailshot mailshots voicemail smartphone \
    smartphones iphone iphones headphone headphones microphone microphones earphone earphones \
    francophone anglophone phonetic gramophone birthrate";

/// Names that tell something only if they are the whole name.
const WHOLE: &str = "\
    mobile mobiel mobil portable handy cell natel mobileno mobilenr mobilephone contactnumber \
    contactno numeroportable cellulaire name names naam nom noms nombre nombres nome namn navn \
    nimi jmeno nev isim imya имя фио ονομα";

/// Words for *name* that do not say of what.
const NAMES: &str = "\
    name names naam nom nombre nome namn navn";

/// Words that say that a name is a person's.
const OF_PERSONS: &str = "\
    first last given family full middle maiden birth nick second user customer client contact \
    participant person respondent guest patient member employee recipient student owner manager \
    volledige volledig klant deelnemer famille complet contacto completo completa cliente kunde \
    kunden teilnehmer famiglia familia";

/// Words that say that an e-mail, a call, a name or an address is not a person's, or that the column
/// tells something about it rather than the thing itself.
const NOT_OF_PERSONS: &str = "\
    opt optin optout sent send opened open opens clicked clicks bounced bounce status count \
    template subject campaign consent verified valid provider type preference preferences \
    frequency language format model brand os plan contract calls minutes version score rating \
    channel enabled allowed flag has is permission subscribed survey support toestemming \
    verzonden statut typ team product company campaign file host domain store shop branch office \
    department project event hotel restaurant page list segment group web site website url brand \
    app device produit equipe entreprise societe produkt firma bedrijf empresa producto equipo \
    azienda prodotto squadra magasin winkel negozio tienda loja sklep";

/// Whether a column of this name most likely holds personal data.
pub(super) fn is_personal(name: &str) -> bool {
    let whole = fold(name);
    if holds(WHOLE, &whole) {
        return true;
    }
    let words = words(name);
    let any = |list: &str| words.iter().any(|word| holds(list, word));
    if any(NOT_OF_PERSONS) || holds(OTHER_WORDS, &whole) {
        return false;
    }
    let has_part = |word: &String| {
        !holds(OTHER_WORDS, word) && PARTS.split_whitespace().any(|part| word.contains(part))
    };
    holds(WORDS, &whole)
        || any(WORDS)
        || words.iter().any(has_part)
        || (any(NAMES) && any(OF_PERSONS))
}

fn holds(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word)
}

/// The words of a name, folded: `E-mail`, `GivenName` and `phone_number` are two words each.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower_case = false;
    for character in name.chars() {
        let begins = character.is_uppercase() && after_lower_case;
        if begins || !(character.is_alphanumeric() || is_mark(character)) {
            words.push(String::new());
        }
        after_lower_case = character.is_lowercase();
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
    }
    words
        .iter()
        .map(|word| fold(word))
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e11_names_of_personal_columns_are_seen() {
        for name in [
            "Second mail",
            "EmailAddress",
            "E-mail 2",
            "email id",
            "private_email",
            "Courriel",
            "Correo electrónico",
            "Mailadresse",
            "emailadres",
            "e-post",
            "posta mail",
            "Mobile",
            "TelephoneNumber",
            "Telefoonnummer",
            "N° de téléphone",
            "Téléphone portable",
            "Handynummer",
            "Teléfono móvil",
            "Telefono",
            "Telemóvel",
            "GSM",
            "tel.",
            "Phone (home)",
            "numer telefonu",
            "whatsapp",
            "Birthday",
            "date of birth",
            "DOB",
            "Geboortedatum",
            "Date de naissance",
            "Geburtstag",
            "fecha_de_nacimiento",
            "Data di nascita",
            "Data de nascimento",
            "data urodzenia",
            "name",
            "Name",
            "Naam",
            "Nom",
            "GivenName",
            "Surname",
            "last name",
            "Full Name",
            "customer_name",
            "Voornaam",
            "Achternaam",
            "Prénom",
            "Nom de famille",
            "Vorname",
            "Nachname",
            "Nombre",
            "Apellidos",
            "Nombre completo",
            "Cognome",
            "Nome completo",
            "Sobrenome",
            "Imię",
            "Nazwisko",
            "imię i nazwisko",
            "Contact name",
            "Address",
            "StreetAddress",
            "Home address",
            "IP address",
            "Adres",
            "Straat",
            "Straße",
            "Hausnummer",
            "Adresse postale",
            "Rue",
            "Dirección",
            "Indirizzo",
            "Endereço",
            "ulica",
            "電話番号",
            "メールアドレス",
            "姓名",
            "Телефон",
            "Имя",
            "E\u{301}mail",
            "ＮＡＭＥ",
        ] {
            assert!(is_personal(name), "{name:?}");
        }
    }

    #[test]
    fn e11_other_names_are_not() {
        for name in [
            "Team",
            "Team name",
            "team_name",
            "ProductName",
            "product name",
            "Company",
            "Company name",
            "Campaign name",
            "file_name",
            "hostname",
            "Store name",
            "Nom du produit",
            "Nom de l'équipe",
            "Produktname",
            "Teamnaam",
            "Nombre del producto",
            "Nome do produto",
            "nombre de visites",
            "Email sent",
            "email_opened",
            "Email opt-in",
            "mailing list",
            "Newsletter",
            "Voicemail",
            "Phone model",
            "phone_brand",
            "Smartphone",
            "iPhone",
            "Phone support score",
            "headphones",
            "Website address",
            "store_address",
            "web address",
            "Mobile app version",
            "Handy score",
            "portable device",
            "Region",
            "Country",
            "City",
            "Language",
            "Score",
            "Visit date",
            "Age",
            "Segment",
            "NPS",
            "Hotel",
            "Tellers",
            "Hotel rating",
            "Telemetry",
            "Intel",
            "Motel",
            "Streetwear",
            "Department",
            "Rues visited",
            "named_by",
            "renamed",
            "",
            "-",
        ] {
            assert!(!is_personal(name), "{name:?}");
        }
    }
}
