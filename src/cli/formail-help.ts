/** What formail -h says. */
export const help = `
 -b  leave lines that start with "From " as they are      -p prefix  put this before them, not ">"
 -c  one line for each field                              -z  no empty fields, a blank behind each colon
 -f  no \`From ' line where there is none                  -Y  take no notice of Content-Length:
 -r  header of a reply                                    -k  with the body
 -t  reply to whom the header names, not the envelope     -q- say what is wrong
 -x field  its content      -X field  the whole field
 -a field  add if missing   -A field  add
 -i field  add, rename old  -I field  add, delete old     -R old new  rename
 -u field  keep the first   -U field  keep the last
 -l folder  log abstract only                             -D nnn idcache  find duplicates
 -s [prg [arg ...]]  split, and start prg for each message (last option)
 +nnn  skip so many         -nnn  so many at most         -n [nnn]  programs beside each other
 -e  no empty line needed   -d  digests, articles         -B  Babyl
 -m nnn  fields a message starts with, 2 unless given
`;
