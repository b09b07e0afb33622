//! Codes of countries, as definitions and files of places write them.
//!
//! Reading takes any two letters: a file may have codes that no standard has,
//! and what was stored stays readable. Whether a code can mean anything is a
//! question of its own, asked where a person writes one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Two letters in the place of a country, upper case: a code of ISO 3166-1
/// alpha-2, or whatever a file of places or an older record has there. Whether
/// the code means anything says [`Country::is_used`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// Whether addresses can have this code: ISO 3166-1 assigns it, or the
    /// address registries and the makers of databases use it like one. A
    /// definition that names another waits for a place that no file has.
    pub fn is_used(&self) -> bool {
        self.0.first() == Some(&OF_USERS) || self.name().is_some()
    }

    /// Its short English name; nothing for a code that ISO 3166-1 leaves to
    /// users, or that means nothing.
    pub fn name(&self) -> Option<&'static str> {
        let of_iso = ASSIGNED.binary_search_by_key(&self.0, |(code, _)| *code).ok();
        let of_iso = of_iso.and_then(|place| ASSIGNED.get(place));
        let found = of_iso.or_else(|| BESIDE.iter().find(|(code, _)| *code == self.0));
        found.map(|(_, name)| *name)
    }

    /// Every code that has a name, by its name.
    pub fn all_named() -> Vec<(Country, &'static str)> {
        let all = ASSIGNED.iter().chain(&BESIDE).map(|(code, name)| (Country(*code), *name));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|(_, name)| *name);
        all
    }
}

/// The text is no country code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no country code of two letters, such as DE")]
pub struct NoCountry(String);

impl FromStr for Country {
    type Err = NoCountry;
    fn from_str(text: &str) -> Result<Self, NoCountry> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Country([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(NoCountry(text.chars().take(60).collect())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The codes that ISO 3166-1 assigns, in order, each with the short English
/// name by which people look for it.
#[rustfmt::skip] // A table.
const ASSIGNED: [([u8; 2], &str); 249] = [
    (*b"AD", "Andorra"), (*b"AE", "United Arab Emirates"), (*b"AF", "Afghanistan"), (*b"AG", "Antigua and Barbuda"), (*b"AI", "Anguilla"),
    (*b"AL", "Albania"), (*b"AM", "Armenia"), (*b"AO", "Angola"), (*b"AQ", "Antarctica"), (*b"AR", "Argentina"), (*b"AS", "American Samoa"),
    (*b"AT", "Austria"), (*b"AU", "Australia"), (*b"AW", "Aruba"), (*b"AX", "Åland Islands"), (*b"AZ", "Azerbaijan"),
    (*b"BA", "Bosnia and Herzegovina"), (*b"BB", "Barbados"), (*b"BD", "Bangladesh"), (*b"BE", "Belgium"), (*b"BF", "Burkina Faso"),
    (*b"BG", "Bulgaria"), (*b"BH", "Bahrain"), (*b"BI", "Burundi"), (*b"BJ", "Benin"), (*b"BL", "Saint Barthélemy"), (*b"BM", "Bermuda"),
    (*b"BN", "Brunei"), (*b"BO", "Bolivia"), (*b"BQ", "Caribbean Netherlands"), (*b"BR", "Brazil"), (*b"BS", "Bahamas"), (*b"BT", "Bhutan"),
    (*b"BV", "Bouvet Island"), (*b"BW", "Botswana"), (*b"BY", "Belarus"), (*b"BZ", "Belize"), (*b"CA", "Canada"), (*b"CC", "Cocos Islands"),
    (*b"CD", "Congo (Kinshasa)"), (*b"CF", "Central African Republic"), (*b"CG", "Congo (Brazzaville)"), (*b"CH", "Switzerland"),
    (*b"CI", "Côte d’Ivoire"), (*b"CK", "Cook Islands"), (*b"CL", "Chile"), (*b"CM", "Cameroon"), (*b"CN", "China"), (*b"CO", "Colombia"),
    (*b"CR", "Costa Rica"), (*b"CU", "Cuba"), (*b"CV", "Cape Verde"), (*b"CW", "Curaçao"), (*b"CX", "Christmas Island"), (*b"CY", "Cyprus"),
    (*b"CZ", "Czechia"), (*b"DE", "Germany"), (*b"DJ", "Djibouti"), (*b"DK", "Denmark"), (*b"DM", "Dominica"), (*b"DO", "Dominican Republic"),
    (*b"DZ", "Algeria"), (*b"EC", "Ecuador"), (*b"EE", "Estonia"), (*b"EG", "Egypt"), (*b"EH", "Western Sahara"), (*b"ER", "Eritrea"),
    (*b"ES", "Spain"), (*b"ET", "Ethiopia"), (*b"FI", "Finland"), (*b"FJ", "Fiji"), (*b"FK", "Falkland Islands"), (*b"FM", "Micronesia"),
    (*b"FO", "Faroe Islands"), (*b"FR", "France"), (*b"GA", "Gabon"), (*b"GB", "United Kingdom"), (*b"GD", "Grenada"), (*b"GE", "Georgia"),
    (*b"GF", "French Guiana"), (*b"GG", "Guernsey"), (*b"GH", "Ghana"), (*b"GI", "Gibraltar"), (*b"GL", "Greenland"), (*b"GM", "Gambia"),
    (*b"GN", "Guinea"), (*b"GP", "Guadeloupe"), (*b"GQ", "Equatorial Guinea"), (*b"GR", "Greece"),
    (*b"GS", "South Georgia and the South Sandwich Islands"), (*b"GT", "Guatemala"), (*b"GU", "Guam"), (*b"GW", "Guinea-Bissau"),
    (*b"GY", "Guyana"), (*b"HK", "Hong Kong"), (*b"HM", "Heard and McDonald Islands"), (*b"HN", "Honduras"), (*b"HR", "Croatia"),
    (*b"HT", "Haiti"), (*b"HU", "Hungary"), (*b"ID", "Indonesia"), (*b"IE", "Ireland"), (*b"IL", "Israel"), (*b"IM", "Isle of Man"),
    (*b"IN", "India"), (*b"IO", "British Indian Ocean Territory"), (*b"IQ", "Iraq"), (*b"IR", "Iran"), (*b"IS", "Iceland"), (*b"IT", "Italy"),
    (*b"JE", "Jersey"), (*b"JM", "Jamaica"), (*b"JO", "Jordan"), (*b"JP", "Japan"), (*b"KE", "Kenya"), (*b"KG", "Kyrgyzstan"),
    (*b"KH", "Cambodia"), (*b"KI", "Kiribati"), (*b"KM", "Comoros"), (*b"KN", "Saint Kitts and Nevis"), (*b"KP", "North Korea"),
    (*b"KR", "South Korea"), (*b"KW", "Kuwait"), (*b"KY", "Cayman Islands"), (*b"KZ", "Kazakhstan"), (*b"LA", "Laos"), (*b"LB", "Lebanon"),
    (*b"LC", "Saint Lucia"), (*b"LI", "Liechtenstein"), (*b"LK", "Sri Lanka"), (*b"LR", "Liberia"), (*b"LS", "Lesotho"), (*b"LT", "Lithuania"),
    (*b"LU", "Luxembourg"), (*b"LV", "Latvia"), (*b"LY", "Libya"), (*b"MA", "Morocco"), (*b"MC", "Monaco"), (*b"MD", "Moldova"),
    (*b"ME", "Montenegro"), (*b"MF", "Saint Martin"), (*b"MG", "Madagascar"), (*b"MH", "Marshall Islands"), (*b"MK", "North Macedonia"),
    (*b"ML", "Mali"), (*b"MM", "Myanmar"), (*b"MN", "Mongolia"), (*b"MO", "Macao"), (*b"MP", "Northern Mariana Islands"), (*b"MQ", "Martinique"),
    (*b"MR", "Mauritania"), (*b"MS", "Montserrat"), (*b"MT", "Malta"), (*b"MU", "Mauritius"), (*b"MV", "Maldives"), (*b"MW", "Malawi"),
    (*b"MX", "Mexico"), (*b"MY", "Malaysia"), (*b"MZ", "Mozambique"), (*b"NA", "Namibia"), (*b"NC", "New Caledonia"), (*b"NE", "Niger"),
    (*b"NF", "Norfolk Island"), (*b"NG", "Nigeria"), (*b"NI", "Nicaragua"), (*b"NL", "Netherlands"), (*b"NO", "Norway"), (*b"NP", "Nepal"),
    (*b"NR", "Nauru"), (*b"NU", "Niue"), (*b"NZ", "New Zealand"), (*b"OM", "Oman"), (*b"PA", "Panama"), (*b"PE", "Peru"),
    (*b"PF", "French Polynesia"), (*b"PG", "Papua New Guinea"), (*b"PH", "Philippines"), (*b"PK", "Pakistan"), (*b"PL", "Poland"),
    (*b"PM", "Saint Pierre and Miquelon"), (*b"PN", "Pitcairn Islands"), (*b"PR", "Puerto Rico"), (*b"PS", "Palestine"), (*b"PT", "Portugal"),
    (*b"PW", "Palau"), (*b"PY", "Paraguay"), (*b"QA", "Qatar"), (*b"RE", "Réunion"), (*b"RO", "Romania"), (*b"RS", "Serbia"), (*b"RU", "Russia"),
    (*b"RW", "Rwanda"), (*b"SA", "Saudi Arabia"), (*b"SB", "Solomon Islands"), (*b"SC", "Seychelles"), (*b"SD", "Sudan"), (*b"SE", "Sweden"),
    (*b"SG", "Singapore"), (*b"SH", "Saint Helena"), (*b"SI", "Slovenia"), (*b"SJ", "Svalbard and Jan Mayen"), (*b"SK", "Slovakia"),
    (*b"SL", "Sierra Leone"), (*b"SM", "San Marino"), (*b"SN", "Senegal"), (*b"SO", "Somalia"), (*b"SR", "Suriname"), (*b"SS", "South Sudan"),
    (*b"ST", "São Tomé and Príncipe"), (*b"SV", "El Salvador"), (*b"SX", "Sint Maarten"), (*b"SY", "Syria"), (*b"SZ", "Eswatini"),
    (*b"TC", "Turks and Caicos Islands"), (*b"TD", "Chad"), (*b"TF", "French Southern Territories"), (*b"TG", "Togo"), (*b"TH", "Thailand"),
    (*b"TJ", "Tajikistan"), (*b"TK", "Tokelau"), (*b"TL", "Timor-Leste"), (*b"TM", "Turkmenistan"), (*b"TN", "Tunisia"), (*b"TO", "Tonga"),
    (*b"TR", "Türkiye"), (*b"TT", "Trinidad and Tobago"), (*b"TV", "Tuvalu"), (*b"TW", "Taiwan"), (*b"TZ", "Tanzania"), (*b"UA", "Ukraine"),
    (*b"UG", "Uganda"), (*b"UM", "United States Outlying Islands"), (*b"US", "United States"), (*b"UY", "Uruguay"), (*b"UZ", "Uzbekistan"),
    (*b"VA", "Vatican City"), (*b"VC", "Saint Vincent and the Grenadines"), (*b"VE", "Venezuela"), (*b"VG", "British Virgin Islands"),
    (*b"VI", "United States Virgin Islands"), (*b"VN", "Vietnam"), (*b"VU", "Vanuatu"), (*b"WF", "Wallis and Futuna"), (*b"WS", "Samoa"),
    (*b"YE", "Yemen"), (*b"YT", "Mayotte"), (*b"ZA", "South Africa"), (*b"ZM", "Zambia"), (*b"ZW", "Zimbabwe"),
];

/// What the address registries have beside ISO 3166-1, for blocks that they
/// give to no single country, and the one code left to users that means the
/// same everywhere.
const BESIDE: [([u8; 2], &str); 3] =
    [(*b"AP", "Asia-Pacific"), (*b"EU", "European Union"), (*b"XK", "Kosovo")];

/// How the codes begin that ISO 3166-1 leaves to users and that addresses
/// really have: `XK` is Kosovo in every database, others stand in maps of
/// one's own making. What else is left to users (`AA`, `QM` to `QZ`, `ZZ`) is
/// a slip far more often than a place; `ZZ` means *unknown* where it is used.
const OF_USERS: u8 = b'X';

#[cfg(test)]
mod tests {
    use super::*;

    fn country(text: &str) -> Country {
        text.parse().unwrap()
    }

    #[test]
    fn countries_are_two_letters_in_upper_case() {
        assert_eq!(country("de").as_str(), "DE");
        for wrong in ["", "D", "DEU", "D1", "é"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_in_use_are_those_of_iso_3166_of_the_registries_and_of_users() {
        let is_sorted = ASSIGNED.is_sorted_by(|(one, _), (next, _)| one < next);
        assert!(is_sorted, "looked up by halves, none twice");
        for used in ["AD", "DE", "GB", "SS", "ZW", "eu", "AP", "XK", "XA", "xz"] {
            assert!(country(used).is_used(), "{used}");
        }
        for unused in ["ZZ", "AA", "UK", "SU", "AN", "QM", "QZ", "YU"] {
            assert!(!country(unused).is_used(), "{unused}");
        }
    }

    #[test]
    fn every_code_in_use_has_a_name_of_its_own_but_those_left_to_users() {
        for (code, name) in [("DE", "Germany"), ("eu", "European Union"), ("XK", "Kosovo")] {
            assert_eq!(country(code).name(), Some(name));
        }
        assert!(country("XA").is_used() && country("XA").name().is_none());
        assert_eq!(country("ZZ").name(), None);
        let all = Country::all_named();
        let names: std::collections::HashSet<_> = all.iter().map(|(_, name)| *name).collect();
        assert_eq!((all.len(), names.len()), (252, 252));
        // Lists of them are written with commas between.
        assert!(names.iter().all(|name| !name.contains(',')), "{names:?}");
    }
}
