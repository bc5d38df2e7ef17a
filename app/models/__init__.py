"""The tables, one a file. Importing this package registers all of them."""

from app.models.archive import Archive
from app.models.attempt import Attempt
from app.models.audit_chain import AuditChain
from app.models.audit_event import AuditEvent
from app.models.base import Base, db
from app.models.grant import Grant, grant_study
from app.models.lease import Lease
from app.models.limit_alarm import Alarm
from app.models.recovery_code import RecoveryCode
from app.models.report import Report
from app.models.report_aside import ReportAside
from app.models.report_copy import ReportCopy
from app.models.report_delivery import ReportDelivery
from app.models.report_file import ReportFile
from app.models.report_template import ReportTemplate
from app.models.site_setting import SiteSetting
from app.models.staff import Staff
from app.models.staff_link import StaffLink
from app.models.staff_session import StaffSession
from app.models.staff_token import StaffToken
from app.models.study import Study
from app.models.tag_rule import StudyTagKey, TagRule, TagRuleKey, TagRuleMatch, TagRuleMember, TagValue
from app.models.text_block import TextBlock
from app.models.viewer_token import ViewerToken
from app.models.visit import Visit

__all__ = [
    "Alarm",
    "Archive",
    "Attempt",
    "AuditChain",
    "AuditEvent",
    "Base",
    "Grant",
    "Lease",
    "RecoveryCode",
    "Report",
    "ReportAside",
    "ReportCopy",
    "ReportDelivery",
    "ReportFile",
    "ReportTemplate",
    "SiteSetting",
    "Staff",
    "StaffLink",
    "StaffSession",
    "StaffToken",
    "Study",
    "StudyTagKey",
    "TagRule",
    "TagRuleKey",
    "TagRuleMatch",
    "TagRuleMember",
    "TagValue",
    "TextBlock",
    "ViewerToken",
    "Visit",
    "db",
    "grant_study",
]
