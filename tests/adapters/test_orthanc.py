"""What an archive tells, in the words of the domain: whose study it is, what changed, what can be seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.adapters.orthanc import ArchiveUnreachable, Orthanc
from app.domain.study import Picture
from tests.adapters.http_stub import Answer, Stub
from tests.conftest import ARCHIVE

STUDY: dict[str, Any] = {
    "ID": "s1",
    "IsStable": True,
    "LastUpdate": "20261120T093000",
    "MainDicomTags": {
        "StudyInstanceUID": "1.2.3",
        "StudyDate": "20261119",
        "StudyDescription": "CT\x00 chest",
    },
    "PatientMainDicomTags": {"PatientID": "P1", "PatientName": "Moreno^Ana", "PatientBirthDate": "19580327"},
    "Series": ["a", "b"],
}
SERIES: list[dict[str, Any]] = [
    {"ID": "b", "Instances": ["i3"], "MainDicomTags": {"Modality": "SR", "SeriesNumber": "9"}},
    {
        "ID": "a",
        "Instances": ["i1", "i2"],
        "MainDicomTags": {"Modality": "CT", "SeriesNumber": "2", "SeriesDescription": "Axial"},
    },
]


def of_study(**changes: Answer) -> dict[str, Answer]:
    return {
        "studies/s1": Answer.json(STUDY),
        "studies/s1/series": Answer.json(SERIES),
        "studies/s1/metadata": Answer.json({"LastUpdate": "20261120T093000"}),
        "instances/i3/simplified-tags": Answer.json({"ResponsibleOrganization": "Test Clinic"}),
        **changes,
    }


def test_a_study_is_read_with_cleaned_words_and_the_tags_of_one_instance(
    stub: Stub, orthanc: Orthanc
) -> None:
    stub.routes(of_study())
    study = orthanc.study("s1")
    assert study is not None
    assert (study.patient_id, study.patient_name, study.birth_date_text) == ("P1", "Moreno^Ana", "19580327")
    assert (study.study_date, study.description) == (date(2026, 11, 19), "CT chest")
    assert study.responsible_organization == "Test Clinic"
    assert study.modalities == ("CT", "SR")
    assert (study.series_count, study.instance_count) == (2, 3)
    assert study.is_stable
    assert not study.is_derived


@pytest.mark.parametrize("origin", ["AnonymizedFrom", "ModifiedFrom"])
def test_an_anonymised_or_modified_copy_is_told_apart(stub: Stub, orthanc: Orthanc, origin: str) -> None:
    stub.routes(of_study(**{"studies/s1/metadata": Answer.json({origin: "s0"})}))
    study = orthanc.study("s1")
    assert study is not None
    assert study.is_derived


def test_the_patient_of_the_study_counts_and_not_the_one_of_a_stray_instance(
    stub: Stub, orthanc: Orthanc
) -> None:
    stray = {"PatientID": "P2", "PatientName": "Other^Person", "PatientBirthDate": "19700101"}
    stub.routes(of_study(**{"instances/i3/simplified-tags": Answer.json(stray)}))
    study = orthanc.study("s1")
    assert study is not None
    assert (study.patient_id, study.patient_name) == ("P1", "Moreno^Ana")


def test_the_list_and_the_study_agree_on_what_has_changed(stub: Stub, orthanc: Orthanc) -> None:
    def listed(study: dict[str, Any]) -> str:
        stub.answer = lambda asked: Answer.json([study] if "since=0" in asked.query else [])
        (row,) = orthanc.studies()
        return row.fingerprint

    stub.routes(of_study())
    read = orthanc.study("s1")
    assert read is not None
    assert listed(STUDY) == read.fingerprint
    assert listed({**STUDY, "Series": ["b", "a"]}) == read.fingerprint  # the order tells nothing
    assert listed({**STUDY, "Series": ["a"]}) != read.fingerprint
    assert listed({**STUDY, "PatientMainDicomTags": {"PatientID": "P2"}}) != read.fingerprint
    # A label leaves LastUpdate as it is; an Orthanc that learns of labels (1.12) changes nothing by that.
    assert listed({**STUDY, "Labels": []}) == read.fingerprint
    assert listed({**STUDY, "Labels": ["ward-7"]}) != read.fingerprint


def test_further_main_tags_and_labels_are_read(stub: Stub, orthanc: Orthanc) -> None:
    main = {**STUDY["MainDicomTags"], "RequestingPhysician": "Haus^Anna", "StudyTime": "093000"}
    told = {**STUDY, "MainDicomTags": main, "Labels": ["teaching", "ward-7"]}
    stub.routes(of_study(**{"studies/s1": Answer.json(told)}))

    study = orthanc.study("s1")

    assert study is not None
    assert study.other_tags["RequestingPhysician"] == "Haus^Anna"
    assert study.other_tags["Labels"] == "teaching\\ward-7"
    assert not {"StudyTime", "StudyInstanceUID", "PatientID"} & set(study.other_tags)


def test_all_pages_of_a_long_list_are_walked(stub: Stub, orthanc: Orthanc) -> None:
    everything = [{"ID": f"s{number}", "IsStable": number % 2 == 0} for number in range(5)]

    def page(asked: Any) -> Answer:
        query = dict(part.split("=") for part in asked.query.split("&"))
        since = int(query["since"])
        return Answer.json(everything[since : since + int(query["limit"])])

    stub.answer = page
    studies = list(orthanc.studies(page_size=2))
    assert [study.orthanc_id for study in studies] == ["s0", "s1", "s2", "s3", "s4"]
    assert [study.is_stable for study in studies] == [True, False, True, False, True]


def test_a_page_of_changes_is_read(stub: Stub, orthanc: Orthanc) -> None:
    row = {"Seq": 7, "ChangeType": "StableStudy", "ResourceType": "Study", "ID": "s1", "Path": "/studies/s1"}
    stub.routes({"changes": Answer.json({"Changes": [row], "Last": 7, "Done": False})})
    page = orthanc.changes(since=6)
    assert [(change.sequence, change.type, change.orthanc_id) for change in page.changes] == [
        (7, "StableStudy", "s1")
    ]
    assert (page.last, page.is_done) == (7, False)


@pytest.mark.parametrize("changes", [[{}], [{"Seq": 7}], "x", {"a": 1}, [None]])
def test_a_damaged_page_of_changes_stops_at_the_archive(stub: Stub, orthanc: Orthanc, changes: Any) -> None:
    stub.routes({"changes": Answer.json({"Changes": changes, "Last": 7, "Done": True})})
    with pytest.raises(ArchiveUnreachable):
        orthanc.changes(since=0)


def test_two_studies_with_one_uid_are_both_told(stub: Stub, orthanc: Orthanc) -> None:
    stub.routes({"tools/find": Answer.json(["s1", "s2"])})
    assert orthanc.studies_with_uid("1.2.3") == ("s1", "s2")


@pytest.mark.parametrize("answer", [Answer.json({"error": 1}), Answer.json("s1"), Answer(200, b"<p>")])
def test_a_strange_answer_to_a_search_is_no_study(stub: Stub, orthanc: Orthanc, answer: Answer) -> None:
    stub.always(answer)
    with pytest.raises(ArchiveUnreachable):
        orthanc.studies_with_uid("1.2.3")


@pytest.mark.parametrize("password", ["service-secret-of-tests", "geheim-ß-ş-密码"])
def test_studykey_names_itself_to_its_archive_in_any_letters(stub: Stub, password: str) -> None:
    stub.routes({"studies/s1": Answer.json(STUDY)})
    assert Orthanc(replace(ARCHIVE, url=stub.url, password=password)).exists("s1")
    assert stub.asked[0].user == f"studykey:{password}"


def test_a_study_that_is_gone_is_none(stub: Stub, orthanc: Orthanc) -> None:
    stub.always(Answer(404))
    assert orthanc.exists("s1") is False
    assert orthanc.study("s1") is None
    assert orthanc.series("s1") == ()
    assert orthanc.rendered(Picture("i1", 0), size=512, quality=80) is None


@pytest.mark.parametrize("missing", ["studies/s1", "studies/s1/series", "studies/s1/metadata"])
def test_a_study_that_goes_while_it_is_read_is_none(stub: Stub, orthanc: Orthanc, missing: str) -> None:
    stub.routes(of_study(**{missing: Answer(404)}))
    assert orthanc.study("s1") is None
