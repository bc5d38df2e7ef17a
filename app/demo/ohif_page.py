"""The page and the configuration with which OHIF runs under ``/ohif/``.

Owns two texts. The page carries a Content-Security-Policy that lets nothing leave the origin, whatever a
part of the viewer may try; no script stands in the page itself, so none has to be allowed there.

The token: OHIF 3.13 takes ``?token=T`` from the address, sends ``Authorization: Bearer T`` with every
DICOMweb request, and removes it from the address bar by itself. A reload, like a refused token, ends
at /ohif/notfoundstudy with one sentence ("… not available at this time"); the way back is the portal.
"""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' data: blob:; object-src 'self' blob:; "
    "frame-src 'self' blob:; base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="same-origin">
<meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Images</title>
<link rel="icon" href="{root}assets/favicon.ico">
<link rel="stylesheet" href="{root}app.bundle.css">
<script src="{root}app-config.js"></script>
<script defer src="{root}{bundle}"></script>
</head>
<body>
<noscript>The viewer needs JavaScript. The portal shows the images without it.</noscript>
<div id="react-portal"></div>
<div id="root"></div>
</body>
</html>
"""


def index_html(*, root: str, bundle: str) -> str:
    """The viewer's page for a viewer served under ``root`` whose main script is ``bundle``."""
    return _PAGE.format(policy=POLICY, root=root, bundle=bundle)


APP_CONFIG = """// What Studykey's demo tells OHIF. One source: the DICOMweb of the host that served it.
window.PUBLIC_URL = '{root}';
window.browserImportFunction = name => import(name);
window.config = {
  name: 'studykey',
  routerBasename: '{root}'.slice(0, -1),
  extensions: [],
  modes: [],
  customizationService: { 'ohif.tours': { $set: [] } },
  showStudyList: false,
  showPatientInfo: 'visibleCollapsed',
  investigationalUseDialog: { option: 'never' },
  disableConfirmationPrompts: true,
  measurementTrackingMode: 'none',
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  showErrorDetails: 'dev',
  strictZSpacingForVolumeViewport: true,
  maxNumberOfWebWorkers: 3,
  maxNumRequests: { interaction: 20, thumbnail: 5, prefetch: 10 },
  defaultDataSourceName: 'dicomweb',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'dicomweb',
      configuration: {
        friendlyName: 'Orthanc',
        name: 'orthanc',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        wadoUriRoot: '/wado',
        qidoSupportsIncludeField: false,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: false,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true },
      },
    },
  ],
  // The viewer's own answer to an error is a link to its makers' site; the portal has the words.
  httpErrorHandler: () => {},
};
"""
