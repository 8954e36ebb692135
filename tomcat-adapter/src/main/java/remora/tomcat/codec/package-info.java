/**
 * Attribute values to bytes and back.
 *
 * <p>Values of common types are written in the adapter's own format, which loads no class when
 * read; everything else goes through Java serialization, behind a class filter and limits. A type
 * tag says which. Tags and layouts are for ever: a new layout gets a new tag, so that any mix of
 * adapter versions reads what any other wrote, or keeps the bytes as {@link
 * remora.tomcat.codec.Undecodable}.
 *
 * <table>
 *   <caption>Tags and layouts; integers are big-endian unless "varint"</caption>
 *   <tr><th>tag</th><th>type</th><th>layout</th></tr>
 *   <tr><td>0</td><td>null (only inside collections)</td><td>nothing</td></tr>
 *   <tr><td>1</td><td>String</td><td>text: varint length, UTF-8</td></tr>
 *   <tr><td>2</td><td>String with unpaired surrogates</td><td>varint length, UTF-16</td></tr>
 *   <tr><td>3</td><td>Boolean</td><td>1 byte, 0 or 1</td></tr>
 *   <tr><td>4</td><td>Byte</td><td>1 byte</td></tr>
 *   <tr><td>5</td><td>Short</td><td>2 bytes</td></tr>
 *   <tr><td>6</td><td>Character</td><td>2 bytes</td></tr>
 *   <tr><td>7</td><td>Integer</td><td>4 bytes</td></tr>
 *   <tr><td>8</td><td>Long</td><td>8 bytes</td></tr>
 *   <tr><td>9</td><td>Float</td><td>4 bytes, raw bits</td></tr>
 *   <tr><td>10</td><td>Double</td><td>8 bytes, raw bits</td></tr>
 *   <tr><td>11</td><td>BigInteger</td><td>varint length, two's complement</td></tr>
 *   <tr><td>12</td><td>BigDecimal</td><td>scale 4 bytes, then as 11</td></tr>
 *   <tr><td>13</td><td>UUID</td><td>16 bytes</td></tr>
 *   <tr><td>14</td><td>Date</td><td>8 bytes, milliseconds since 1970</td></tr>
 *   <tr><td>15</td><td>Instant</td><td>seconds 8 bytes, nanoseconds 4</td></tr>
 *   <tr><td>16</td><td>LocalDate</td><td>8 bytes, days since 1970</td></tr>
 *   <tr><td>17</td><td>LocalTime</td><td>8 bytes, nanoseconds of the day</td></tr>
 *   <tr><td>18</td><td>LocalDateTime</td><td>as 16, then as 17</td></tr>
 *   <tr><td>19</td><td>OffsetDateTime</td><td>as 18, then offset in seconds, 4 bytes</td></tr>
 *   <tr><td>20</td><td>ZonedDateTime</td><td>as 19, then the zone's name as text</td></tr>
 *   <tr><td>21</td><td>Duration</td><td>as 15</td></tr>
 *   <tr><td>22</td><td>Period</td><td>years, months, days, 4 bytes each</td></tr>
 *   <tr><td>23</td><td>Locale</td><td>language tag as text</td></tr>
 *   <tr><td>24</td><td>byte[]</td><td>varint length, bytes</td></tr>
 *   <tr><td>25</td><td>enum constant</td><td>class name, constant name, both text</td></tr>
 *   <tr><td>26</td><td>String[]</td><td>varint count, then elements</td></tr>
 *   <tr><td>27</td><td>ArrayList</td><td>varint count, then elements</td></tr>
 *   <tr><td>28</td><td>LinkedList</td><td>as 27</td></tr>
 *   <tr><td>29</td><td>HashSet</td><td>as 27, elements in the order of their bytes</td></tr>
 *   <tr><td>30</td><td>LinkedHashSet</td><td>as 27</td></tr>
 *   <tr><td>31</td><td>TreeSet in natural order</td><td>as 27</td></tr>
 *   <tr><td>32</td><td>HashMap</td><td>varint count, then keys and values, in the order of their bytes</td></tr>
 *   <tr><td>33</td><td>LinkedHashMap in insertion order</td><td>varint count, then keys and values</td></tr>
 *   <tr><td>34</td><td>TreeMap in natural order</td><td>as 33</td></tr>
 *   <tr><td>100</td><td>everything else</td><td>a Java serialization stream</td></tr>
 * </table>
 *
 * <p>An element is its tag in one byte, then its layout. Only exact classes count: a subclass goes
 * through Java serialization. So does a collection with an element of another type, one nested
 * deeper than {@value remora.tomcat.codec.TypedWriter#DEPTH_MAX} levels, and one that holds the
 * same mutable object twice, because only Java serialization keeps that identity.
 *
 * <p>Left out on purpose: compression, encryption, and a format for classes of applications.
 */
package remora.tomcat.codec;
