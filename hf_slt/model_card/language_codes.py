"""The codes of languages, spoken and signed, that a card may name."""

from __future__ import annotations

import re

# ISO 639-1 (https://www.loc.gov/standards/iso639-2/php/code_list.php). Codes of three letters, of which there are
# thousands, are known by their form alone.
LANGUAGES = frozenset(
    """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo
    es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka
    kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng
    nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st
    su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()
)
# The sign languages of ISO 639-3 (https://iso639-3.sil.org), and `sgn`, which stands for any of them.
SIGN_LANGUAGES = frozenset(
    """
    ads aed aen afg ajs ase asf asp asq asw bfi bfk bog bqn bqy bvl bzs cds csc csd cse csf csg csl csn csq csr csx
    doq dse dsl dsz ecs ehs esl esn eso eth fcs fse fsl fss gds gse gsg gsm gss gus hab haf hds hks hos hps hsh hsl
    icl iks ils inl ins ise isg isr jcs jhs jks jls jos jsl jus kgi kvk lbs lls lsb lsc lsl lsn lso lsp lst lsv lsw
    lsy lws mdl mfs mre msd msr mzc mzg mzy nbs ncs nsi nsl nsp nsr nzs okl pgz pks prl prz psc psd psg psl pso psp
    psr pys rib rms rnb rsl rsm rsn sdl sfb sfs sgg sgn sgx slf sls sqk sqs sqx ssp ssr svk swl syy szs tse tsm tsq
    tss tsy tza ugn ugy ukl uks vgt vsi vsl vsv wbs xki xml xms ygs yhs ysl ysm zib zsl
    """.split()
)
# What a sign language is called in short, which is no code, or that of a spoken language -> its code.
_SHORT_NAMES = {
    **{"asl": "ase", "auslan": "asf", "bsl": "bfi", "dgs": "gsg", "libras": "bzs", "lis": "ise", "lsa": "aed"},
    **{"lse": "ssp", "lsf": "fsl", "lsm": "mfs", "lsfb": "sfb", "ngt": "dse", "dsgs": "sgg", "lsq": "fcs"},
}
_THREE_LETTERS = re.compile(r"[a-z]{3}")


def language_code(text: str) -> str | None:
    """Return the code in the name that a run gives a language (`zh-TW`: `zh`); None if there is none, as in `gloss`."""
    code = re.split(r"[-_]", text.strip().lower())[0]
    return code if is_language(code) else None


def is_language(code: str) -> bool:
    """Tell whether a text is a code of ISO 639-1, or has the form of one of ISO 639-3."""
    return code in LANGUAGES or bool(_THREE_LETTERS.fullmatch(code))


def language_problem(code: str) -> str | None:
    """Say what is wrong with the code of a language; None if nothing is."""
    if is_language(code):
        return None
    return (
        f"expected ISO 639 codes, such as es or spa, in 'language', found '{code}'{_hint(language_code(code))}: write "
        f"its code (https://iso639-3.sil.org), or leave the key out to keep the --language of the run"
    )


def sign_language_problem(code: str) -> str | None:
    """Say what is wrong with the code of a sign language; None if nothing is."""
    if code in SIGN_LANGUAGES:
        return None
    lower = code.lower()
    nearest = _SHORT_NAMES.get(lower) or (lower if lower in SIGN_LANGUAGES else None)
    return (
        f"expected the ISO 639-3 code of a sign language, such as ase (American) or gsg (German), in "
        f"'sign_language_code', found '{code}'{_hint(nearest)}"
    )


def _hint(code: str | None) -> str:
    return f" (did you mean '{code}'?)" if code else ""
