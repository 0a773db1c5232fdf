//! Forty invented clinics. Their names say that they are samples (見本); codes and telephone numbers are nobody's.

/// Name, kind as in a list of clinics, and number of the prefecture.
const CLINICS: [(&str, &str, u8); 40] = [
    ("さくら内科クリニック", "medical", 17),
    ("かなざわ駅前歯科", "dental", 17),
    ("犀川整形外科医院", "medical", 17),
    ("卯辰山こどもクリニック", "medical", 17),
    ("ひがし茶屋調剤薬局", "pharmacy", 17),
    ("白山ふもと診療所", "medical", 17),
    ("小松中央眼科", "medical", 17),
    ("加賀温泉皮ふ科", "medical", 17),
    ("能登里山内科", "medical", 17),
    ("七尾湾歯科医院", "dental", 17),
    ("輪島朝市通り薬局", "pharmacy", 17),
    ("内灘訪問看護ステーション", "nursing", 17),
    ("立山内科医院", "medical", 16),
    ("富山いわせ歯科クリニック", "dental", 16),
    ("高岡古城耳鼻咽喉科", "medical", 16),
    ("射水みなと薬局", "pharmacy", 16),
    ("砺波チューリップ小児科", "medical", 16),
    ("氷見きときと診療所", "medical", 16),
    ("黒部川整形外科", "medical", 16),
    ("魚津しんきろう歯科", "dental", 16),
    ("南砺合掌薬局", "pharmacy", 16),
    ("福井足羽内科", "medical", 18),
    ("越前和紙の里歯科", "dental", 18),
    ("敦賀気比眼科クリニック", "medical", 18),
    ("鯖江めがね薬局", "pharmacy", 18),
    ("坂井訪問看護ステーション", "nursing", 18),
    ("小浜若狭医院", "medical", 18),
    ("上越高田内科クリニック", "medical", 15),
    ("糸魚川ひすい歯科", "dental", 15),
    ("柏崎海岸薬局", "pharmacy", 15),
    ("飛騨高山内科医院", "medical", 21),
    ("白川郷診療所", "medical", 21),
    ("岐阜長良歯科", "dental", 21),
    ("松本城東整形外科", "medical", 20),
    ("善光寺下薬局", "pharmacy", 20),
    ("安曇野こころのクリニック", "medical", 20),
    ("湖北内科循環器科", "medical", 25),
    ("長浜黒壁歯科", "dental", 25),
    ("京都西陣内科", "medical", 26),
    ("札幌藻岩山内科", "medical", 1),
];

/// Family names of people to ask for.
const CONTACTS: [&str; 8] = ["山本", "中村", "小林", "加藤", "吉田", "山田", "佐々木", "松本"];

/// One invented clinic.
pub(crate) struct SampleClinic {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) prefecture: u8,
    contact: &'static str,
    phone: String,
}

/// The first `count` of the invented clinics.
pub(crate) fn sample_clinics(count: usize) -> Vec<SampleClinic> {
    let clinic = |(at, (name, kind, prefecture)): (usize, &(&str, &'static str, u8))| SampleClinic {
        code: format!("{prefecture:02}{}9{:06}", point_table(kind), (at + 1) * 137),
        name: format!("{name} (見本)"),
        kind,
        prefecture: *prefecture,
        contact: CONTACTS[at % CONTACTS.len()],
        phone: format!("{}-000-{:04}", area_code(*prefecture), at + 1),
    };
    CLINICS.iter().enumerate().take(count).map(clinic).collect()
}

/// The list as an operator would import it.
pub(crate) fn as_csv(clinics: &[SampleClinic]) -> String {
    let line = |clinic: &SampleClinic| {
        let SampleClinic { code, name, kind, prefecture, contact, phone } = clinic;
        format!("{code},{name},{kind},{prefecture},{contact},{phone}\n")
    };
    let head = "code,name,kind,prefecture,contact,phone\n".to_owned();
    [head].into_iter().chain(clinics.iter().map(line)).collect()
}

/// 点数表: the third digit of an institution's code.
fn point_table(kind: &str) -> u8 {
    match kind {
        "dental" => 3,
        "pharmacy" => 4,
        "nursing" => 6,
        _ => 1,
    }
}

fn area_code(prefecture: u8) -> &'static str {
    match prefecture {
        1 => "011",
        15 => "025",
        18 => "0776",
        20 => "026",
        21 => "058",
        25 => "0749",
        26 => "075",
        _ => "076",
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::clinic::ClinicProfile;

    use super::*;

    #[test]
    fn every_sample_clinic_would_be_accepted_and_says_that_it_is_one() {
        for clinic in sample_clinics(40) {
            let SampleClinic { code, name, kind, prefecture, contact, phone } = clinic;
            let profile = ClinicProfile::parse(&code, &name, kind, &prefecture.to_string(), contact, &phone, "");
            assert!(profile.is_ok() && name.contains("見本"), "{code} {name}: {profile:?}");
        }
    }
}
